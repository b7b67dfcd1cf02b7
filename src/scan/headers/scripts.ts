/* How the scripts of a page score: Subresource Integrity. */
import { type Answer, valueOf } from '../answer.js';
import type { HeaderFacts, HeaderResult } from './header-facts.js';

const isHtml = (answer: Answer): boolean =>
  /^(?:$|text\/html|application\/xhtml\+xml)/i.test(valueOf(answer, 'content-type'));

const META = /<meta\s[^<>]*>/gi;
const SCRIPT = /<script\s[^<>]*>/gi;

/** The attributes of start tags. A page is read as text: it may be cut, and need not be valid. */
function tagsOf(html: string, form: RegExp): readonly ReadonlyMap<string, string>[] {
  const tags = html.match(form) ?? [];
  return tags.map(
    tag =>
      new Map(
        [...tag.matchAll(/\s([a-z-]{1,40})\s{0,9}=\s{0,9}(?:"([^"]*)"|'([^']*)'|([^\s>"']+))/gi)].map(
          ([, attribute, a, b, c]) => [attribute!.toLowerCase(), a ?? b ?? c ?? ''],
        ),
      ),
  );
}

/** The policies of a page's `<meta>`, without the directives that count in a header only. */
export function metaPolicies(page: Answer): readonly string[] {
  if (!isHtml(page)) return [];
  return tagsOf(page.body, META)
    .filter(tag => tag.get('http-equiv')?.toLowerCase() === 'content-security-policy')
    .map(tag =>
      (tag.get('content') ?? '').replace(/(?:frame-ancestors|report-uri|sandbox)[^;]*(?:;|$)/gi, ''),
    )
    .filter(policy => policy.trim() !== '');
}

export function scoreScripts({ page, hostname, isTls }: HeaderFacts): HeaderResult {
  const scripts = isHtml(page) ? tagsOf(page.body, SCRIPT).filter(tag => tag.has('src')) : [];
  const results = scripts.map((tag): HeaderResult => {
    const source = tag.get('src')!;
    const hasIntegrity = Boolean(tag.get('integrity'));
    const url = URL.canParse(source) ? new URL(source) : undefined;
    const isRelative = url === undefined && !source.startsWith('//');
    const isSecure = isRelative ? isTls : url?.protocol === 'https:';
    if (isRelative || isSameSite(url?.hostname, hostname)) return [hasIntegrity && isSecure ? 5 : 0];
    if (isSecure) return hasIntegrity ? [5] : [-5, 'is missing for a script of another host'];
    return [hasIntegrity ? -20 : -50, 'has no use for a script that is loaded over plain HTTP'];
  });
  const worst = results.reduce<HeaderResult>((a, b) => (b[0] < a[0] ? b : a), [0]);
  return worst[0] < 0 ? worst : [results.some(([modifier]) => modifier > 0) ? 5 : 0];
}

const isSameSite = (a: string | undefined, b: string): boolean =>
  a !== undefined && (a === b || a.endsWith(`.${b}`) || b.endsWith(`.${a}`));
