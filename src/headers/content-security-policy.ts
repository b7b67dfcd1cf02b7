/* Serializes a Content-Security-Policy. Characters that end a directive or a policy are rejected, so that no value injects a second one. */
import { boolean, type OptionTable, readTable, type Resolved } from '../common/option-table.js';
import { isRecord, receivedError, rejectMissing } from '../common/read-options.js';
import { showName } from '../common/show-value.js';

/** A source or a list of sources; `true` or `[]` for a directive without a value; `false` removes the directive. */
export type DirectiveValue = string | readonly string[] | boolean;

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
   * without a value. A `;` or `,` in a source stops the start-up, and so does a keyword without its quotes (`self`), which would name a
   * host.
   *
   * Note: `base-uri`, `form-action` and `frame-ancestors` do not inherit from `default-src`.
   */
  directives?: ContentSecurityPolicyDirectives;
  /** Sends the policy as `Content-Security-Policy-Report-Only`. @default false */
  reportOnly?: boolean;
  /** Adds the directives to the option's defaults; `false` begins with an empty policy. @default true */
  useDefaults?: boolean;
}

export interface ResolvedPolicy {
  readonly text: string;
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

/** Twice the length of the longest directive. */
const MAX_NAME_LENGTH = 60;

const TABLE = {
  directives: readDirectives,
  reportOnly: boolean(false),
  useDefaults: boolean(true),
} satisfies OptionTable<ContentSecurityPolicyOptions>;

const MUST_BE_QUOTED =
  /^(?:self|none|strict-dynamic|report-sample|unsafe-inline|unsafe-eval|unsafe-hashes|wasm-unsafe-eval|inline-speculation-rules)$|^(?:nonce|sha256|sha384|sha512)-/i;

/** Reads `true`, `false`, directives alone, or an options object. */
export function resolvePolicy(
  option: string,
  input: unknown,
  defaults: ContentSecurityPolicyDirectives,
): ResolvedPolicy | undefined {
  if (input === false) return undefined;
  const given = input === true || input === undefined ? {} : input;
  const isOptions = isRecord(given) && Object.keys(TABLE).some(key => key in given);
  const own = isOptions ? `${option}.directives` : option;
  const options: Resolved<typeof TABLE> = isOptions
    ? readTable(option, given, TABLE)
    : { directives: readDirectives(option, given), reportOnly: false, useDefaults: true };
  const directives = new Map<string, readonly string[]>();
  if (options.useDefaults) addDirectives(option, defaults, directives);
  addDirectives(own, options.directives, directives);
  if (directives.size === 0) {
    throw cspError(option, input, 'has no directive', `Add some, or set ${option} to false.`);
  }
  const text = Array.from(directives, ([name, values]) => [name, ...values].join(' ')).join('; ');
  return { text, reportOnly: options.reportOnly };
}

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
    const name = key.slice(0, MAX_NAME_LENGTH + 1).replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`);
    const own = `${option}.${showName(key)}`;
    if (key.length > MAX_NAME_LENGTH || !/^[a-z]+(?:-[a-z]+)*$/.test(name))
      throw cspError(own, key, 'is not the name of a directive', 'Write "scriptSrc" or "script-src".');
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
