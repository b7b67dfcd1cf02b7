/* Serializes a Content-Security-Policy. Characters that end a directive or a policy are rejected, so that no value injects a second one. */
import { boolean, type OptionTable, optional, readTable, type Resolved } from '../common/option-table.js';
import { isRecord, nearestName, receivedError, rejectMissing } from '../common/read-options.js';
import { showName } from '../common/show-value.js';

/** A source or a list of sources; `true` or `[]` for a directive without a value; `false` removes the directive. */
type DirectiveValue = string | readonly string[] | boolean;

/**
 * The directives of a policy by name, in camelCase (`scriptSrc`) or as sent (`script-src`).
 * @example
 * const directives: ContentSecurityPolicyDirectives = { scriptSrc: ["'self'", 'https://cdn.example.com'] };
 */
export type ContentSecurityPolicyDirectives = Readonly<Record<string, DirectiveValue>>;

/**
 * A policy with settings beside its directives.
 * @example
 * headers: { contentSecurityPolicy: { directives: { imgSrc: "'self'" }, reportOnly: true } }
 */
export interface ContentSecurityPolicyOptions {
  /**
   * Directives by name (`scriptSrc` or `'script-src'`), each of which replaces its default. `false` removes a directive, `true` sends it
   * without a value. A name that is no directive of CSP Level 3 stops the start-up. So does a `;` or `,` in a source, and a keyword
   * without its quotes (`self`), which would name a host.
   *
   * Note: `base-uri`, `form-action` and `frame-ancestors` do not inherit from `default-src`.
   */
  directives?: ContentSecurityPolicyDirectives;
  /** Sends the policy as `Content-Security-Policy-Report-Only`. @default false, in a decorator that of the policy below it */
  reportOnly?: boolean;
  /**
   * Adds the directives to the option's defaults, in a decorator to the policy below it; `false` begins with an empty policy.
   * @default true
   */
  useDefaults?: boolean;
}

export interface ResolvedPolicy {
  /** By name as sent, in the order in which they are sent. */
  readonly directives: Readonly<Record<string, readonly string[]>>;
  readonly reportOnly: boolean;
}

/** What a policy is laid over. */
interface BasePolicy {
  readonly directives: ContentSecurityPolicyDirectives;
  readonly reportOnly: boolean;
}

/** Allows nothing, for responses that are data. `base-uri`, `form-action` and `frame-ancestors` do not inherit from `default-src`. */
export const API_DIRECTIVES: ContentSecurityPolicyDirectives = {
  'default-src': "'none'",
  'base-uri': "'none'",
  'form-action': "'none'",
  'frame-ancestors': "'none'",
};

/** For pages of the app: its own files, no inline scripts, no framing. */
export const HTML_DIRECTIVES: ContentSecurityPolicyDirectives = {
  'default-src': "'self'",
  'base-uri': "'none'",
  'form-action': "'self'",
  'frame-ancestors': "'none'",
  'object-src': "'none'",
};

/** CSP Level 3, Upgrade Insecure Requests, Mixed Content, Trusted Types and Fenced Frames. Browsers ignore any other name. */
const DIRECTIVES: ReadonlySet<string> = new Set([
  'base-uri',
  'block-all-mixed-content',
  'child-src',
  'connect-src',
  'default-src',
  'fenced-frame-src',
  'font-src',
  'form-action',
  'frame-ancestors',
  'frame-src',
  'img-src',
  'manifest-src',
  'media-src',
  'object-src',
  'prefetch-src',
  'report-to',
  'report-uri',
  'require-trusted-types-for',
  'sandbox',
  'script-src',
  'script-src-attr',
  'script-src-elem',
  'style-src',
  'style-src-attr',
  'style-src-elem',
  'trusted-types',
  'upgrade-insecure-requests',
  'webrtc',
  'worker-src',
]);

/** Bounds the search for a similar name. */
const MAX_NAME_LENGTH = 60;
/** "script-source" for "script-src". */
const MAX_NAME_DISTANCE = 4;

const TABLE = {
  directives: readDirectives,
  reportOnly: optional(boolean(false)),
  useDefaults: boolean(true),
} satisfies OptionTable<ContentSecurityPolicyOptions>;

const MUST_BE_QUOTED =
  /^(?:self|none|strict-dynamic|report-sample|unsafe-inline|unsafe-eval|unsafe-hashes|wasm-unsafe-eval|inline-speculation-rules)$|^(?:nonce|sha256|sha384|sha512)-/i;

/** Reads `true`, `false`, directives alone, or an options object, laid over `base`. */
export function resolvePolicy(option: string, input: unknown, base: BasePolicy): ResolvedPolicy | undefined {
  if (input === false) return undefined;
  const { own, directives, reportOnly = base.reportOnly, useDefaults } = readPolicy(option, input);
  const merged = new Map<string, readonly string[]>();
  if (useDefaults) addDirectives(option, base.directives, merged);
  addDirectives(own, directives, merged);
  if (merged.size === 0) {
    throw cspError(option, input, 'has no directive', `Add some, or set ${option} to false.`);
  }
  return { directives: Object.fromEntries(merged), reportOnly };
}

type PolicyInput = Resolved<typeof TABLE> & { readonly own: string };

/** @returns the input with `own`, the name of its directives in errors */
function readPolicy(option: string, input: unknown): PolicyInput {
  const given = input === true || input === undefined ? {} : input;
  if (isRecord(given) && Object.keys(TABLE).some(key => key in given))
    return { own: `${option}.directives`, ...readTable(option, given, TABLE) };
  const directives = readDirectives(option, given);
  return { own: option, directives, reportOnly: undefined, useDefaults: true };
}

/** Whether a policy names `frame-ancestors` itself. */
export function namesFrameAncestors(option: string, input: unknown): boolean {
  if (input === false) return false;
  return Object.keys(readPolicy(option, input).directives).some(key => nameOf(key) === FRAME_ANCESTORS);
}

export const FRAME_ANCESTORS = 'frame-ancestors';

const nameOf = (key: string): string => key.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`);

export const serializePolicy = (directives: ResolvedPolicy['directives']): string =>
  Object.entries(directives)
    .map(([name, values]) => [name, ...values].join(' '))
    .join('; ');

function readDirectives(option: string, value: unknown): ContentSecurityPolicyDirectives {
  if (value === undefined) return {};
  if (!isRecord(value))
    throw cspError(option, value, 'must be an object of directives', 'Write { defaultSrc: "\'self\'" }.');
  rejectMissing(option, value);
  return value as ContentSecurityPolicyDirectives;
}

function addDirectives(
  option: string,
  added: ContentSecurityPolicyDirectives,
  directives: Map<string, readonly string[]>,
): void {
  const seen = new Set<string>();
  for (const [key, value] of Object.entries(added)) {
    const own = `${option}.${showName(key)}`;
    const name = nameOf(key.slice(0, MAX_NAME_LENGTH));
    if (key.length > MAX_NAME_LENGTH || !DIRECTIVES.has(name)) {
      const near = nearestName(name, [...DIRECTIVES], MAX_NAME_DISTANCE);
      const remedy = near === undefined ? 'Write "scriptSrc" or "script-src".' : `Did you mean "${near}"?`;
      throw cspError(own, key, 'is not the name of a directive', remedy);
    }
    if (seen.has(name))
      throw cspError(own, key, `gives ${name} a second time`, 'Keep one of the two spellings.');
    seen.add(name);
    if (value === false) directives.delete(name);
    else directives.set(name, readSources(own, value));
  }
}

function readSources(option: string, value: unknown): readonly string[] {
  if (value === true) return [];
  const sources = typeof value === 'string' ? [value] : value;
  if (!Array.isArray(sources)) {
    const remedy = 'Write "\'self\'" or ["\'self\'", "https:"].';
    throw cspError(option, value, 'must be a source or a list of sources', remedy);
  }
  return (sources as unknown[]).map(source => {
    if (typeof source !== 'string' || source.trim() === '' || /[;,]|[^\x20-\x7e]/.test(source)) {
      const remedy = 'A source is ASCII text without ";" and ",".';
      throw cspError(option, source, 'holds a source that is not one', remedy);
    }
    const text = source.trim();
    const bare = text.split(/ +/).find(token => MUST_BE_QUOTED.test(token));
    if (bare === undefined) return text;
    const remedy = `Write "'${bare}'": bare, it names a host.`;
    throw cspError(option, source, 'holds a keyword without its quotes', remedy);
  });
}

const cspError = (option: string, received: unknown, problem: string, remedy: string) =>
  receivedError('ASEC_CSP_DIRECTIVE', option, problem, remedy, received);
