/* How a Content-Security-Policy scores. Sources of the rules: docs/scan.md. */
import type { HeaderResult } from './header-facts.js';

type Policy = ReadonlyMap<string, ReadonlySet<string>>;

const BROAD = ['ftp:', 'http:', 'https:', '*', 'http://*', 'http://*.*', 'https://*', 'https://*.*'];
const INLINE = ["'unsafe-inline'", 'data:'];
const PASSIVE = ['img-src', 'media-src'];
const MAY_REPEAT = new Set(['report-uri', 'report-to']);

const isNonceOrHash = (source: string): boolean => /^'(?:nonce|sha256|sha384|sha512)-/.test(source);
const isPlain = (source: string): boolean => /^(?:http|ftp):/.test(source);

/** @returns `undefined` where no policy can be read: a directive comes twice, or a policy is empty */
export function readPolicies(lines: readonly string[]): Policy | undefined {
  const whole = new Map<string, ReadonlySet<string>>();
  for (const text of lines.flatMap(line => line.split(','))) {
    const policy = readPolicy(text);
    if (policy === undefined) return undefined;
    // Of several policies each is enforced: what one of them does not allow is not allowed.
    for (const [name, sources] of policy) {
      const before = whole.get(name);
      const both =
        before === undefined ? sources : new Set([...sources].filter(source => before.has(source)));
      whole.set(name, both.size === 0 && sources.size > 0 ? new Set(["'none'"]) : both);
    }
  }
  return whole;
}

function readPolicy(text: string): Policy | undefined {
  const policy = new Map<string, ReadonlySet<string>>();
  for (const directive of text.split(';')) {
    const [name, ...sources] = directive.trim().toLowerCase().split(/\s+/);
    if (!name) continue;
    if (policy.has(name) && !MAY_REPEAT.has(name)) return undefined;
    if (sources.length === 0 && name.endsWith('-src')) sources.push("'none'");
    if (!policy.has(name)) policy.set(name, new Set(sources));
  }
  return policy.size === 0 ? undefined : policy;
}

/** @param isTls whether a source of plain HTTP is a weakness */
export function scorePolicy(lines: readonly string[], isTls: boolean): HeaderResult {
  if (lines.length === 0) return [-25, 'is missing'];
  const policy = readPolicies(lines);
  if (policy === undefined) return [-25, 'cannot be read: a policy is empty, or a directive comes twice'];
  const sourcesOf = (name: string): readonly string[] => [
    ...(policy.get(name) ?? policy.get('default-src') ?? ['*']),
  ];
  const script = effective(sourcesOf('script-src'));
  if (script === undefined) return [-25, "has 'strict-dynamic' without a nonce or a hash"];
  const style = withoutInline(sourcesOf('style-src'));
  const active = [
    ...script,
    ...[...policy].flatMap(([name, sources]) =>
      name === 'script-src' || PASSIVE.includes(name) ? [] : [...sources],
    ),
  ];
  if (has(script, ...BROAD, ...INLINE) || has(sourcesOf('object-src'), ...BROAD))
    return [-20, 'allows inline scripts, or scripts or plug-ins of any origin'];
  if (isTls && active.some(isPlain)) return [-20, 'allows sources over plain HTTP'];
  if (has([...script, ...style], "'unsafe-eval'")) return [-10, "has 'unsafe-eval'"];
  const passive = PASSIVE.flatMap(name => [...(policy.get(name) ?? policy.get('default-src') ?? [])]);
  if (isTls && passive.some(isPlain)) return [-10, 'allows images or media over plain HTTP'];
  if (has(style, ...BROAD, ...INLINE)) return [0, 'allows inline styles, or styles of any origin'];
  return [...(policy.get('default-src') ?? [])].join() === "'none'" ? [10] : [5];
}

const has = (sources: readonly string[], ...unsafe: readonly string[]): boolean =>
  sources.some(source => unsafe.includes(source));

/** A nonce or a hash turns 'unsafe-inline' off. */
const withoutInline = (sources: readonly string[]): readonly string[] =>
  sources.some(isNonceOrHash) ? sources.filter(source => source !== "'unsafe-inline'") : sources;

/** With 'strict-dynamic', origins and 'self' do not count. */
function effective(sources: readonly string[]): readonly string[] | undefined {
  if (!sources.includes("'strict-dynamic'")) return withoutInline(sources);
  if (!sources.some(isNonceOrHash)) return undefined;
  return withoutInline(sources).filter(
    source => source !== "'self'" && !BROAD.some(broad => source.startsWith(broad)),
  );
}
