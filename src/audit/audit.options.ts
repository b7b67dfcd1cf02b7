import { AgentSecurityConfigError } from '../common/config-error.js';
import {
  isRecord,
  readBoolean,
  type ReadEnvironment,
  readInteger,
  readObject,
  readString,
  readStringList,
  receivedError,
} from '../common/read-options.js';
import type { AuditSink } from './audit-sink.js';
import type { Redaction } from './redact.js';
import { normalizeKey } from './secret-names.js';

export interface AuditOptions {
  /**
   * A file that records are appended to, each line bound to the one before it. `npx nestjs-agent-security audit verify FILE` finds a
   * line that was changed, removed or moved, and a truncated end. One process a file. A file that another process has open, that cannot
   * be written, that another user owns or can write, or that does not continue its chain stops the start-up. Environment: `AUDIT_FILE`.
   * @default none
   */
  file?: string;
  /**
   * The secret of the chain (HMAC-SHA-256), at least 32 characters.
   *
   * Danger: without it, a process that can write the file can make a new chain that looks whole. Environment: `AUDIT_KEY`.
   * @default none: plain SHA-256
   */
  key?: string;
  /**
   * A file of this size is renamed to `FILE.<number of its first line>`, and the chain continues in a new one.
   * @default 104857600 (100 MiB)
   */
  maxFileBytes?: number;
  /**
   * Writes records to Nest's log, under the context `AgentAudit`: `true` as one line of JSON, `'object'` as an object, for loggers such
   * as pino.
   * @default true without a file and sinks, else `false`
   */
  logger?: boolean | 'object';
  /** Sinks of your own: objects with a `name` and `write(lines)`, and `open()` and `close()` where they need them. @default [] */
  sinks?: readonly AuditSink[];
  /**
   * Names of parameters that are not shown, at any depth, beside passwords, secrets, tokens and the like. Case, `_` and `-` do not
   * matter.
   * @default []
   */
  redactKeys?: readonly string[];
  /**
   * Regular expressions whose matches are replaced in every text, beside keys, tokens and card numbers.
   *
   * Danger: they run on what clients send. An expression that backtracks can block the process.
   * @default []
   */
  redactPatterns?: readonly RegExp[];
  /** About how many characters the parameters of one record may take. `0` shows none. @default 16384 */
  maxParamsChars?: number;
  /**
   * How many records may wait for a sink, and no more than 64 MiB of them. At three quarters, records of impact `'low'` are dropped and
   * counted; when it is full, calls of a higher impact get 503 `audit_unavailable`. Records of rejections fill an eighth at most, and
   * are counted beyond it.
   * @default 10000
   */
  maxQueued?: number;
}

export interface ResolvedAudit {
  readonly file: string | undefined;
  readonly key: string | undefined;
  readonly maxFileBytes: number;
  readonly logger: boolean | 'object';
  readonly sinks: readonly AuditSink[];
  readonly redaction: Redaction;
  readonly maxQueued: number;
}

const MIN_KEY_LENGTH = 32;

export function resolveAudit(input: unknown, env: ReadEnvironment): ResolvedAudit | false {
  if (input === false) return false;
  const options = readObject('audit', input, [
    'file',
    'key',
    'maxFileBytes',
    'logger',
    'sinks',
    'redactKeys',
    'redactPatterns',
    'maxParamsChars',
    'maxQueued',
  ]);
  const file =
    options.file === undefined
      ? env('AUDIT_FILE')?.trim() || undefined
      : readString('audit.file', options.file, '');
  const sinks = readSinks(options.sinks);
  const logger =
    options.logger === 'object'
      ? 'object'
      : readBoolean('audit.logger', options.logger, file === undefined && sinks.length === 0);
  if (logger === false && file === undefined && sinks.length === 0) {
    throw receivedError(
      'ASEC_OPTION_TYPE',
      'audit.logger',
      'leaves no place for audit records',
      'Name audit.file (AUDIT_FILE) or audit.sinks as well, or switch the audit off: audit: false.',
      options.logger,
    );
  }
  return {
    file,
    key:
      options.key === undefined
        ? readKey('AUDIT_KEY', env('AUDIT_KEY') || undefined)
        : readKey('audit.key', options.key),
    maxFileBytes: readInteger('audit.maxFileBytes', options.maxFileBytes, 104_857_600, {
      min: 65_536,
      max: 1_099_511_627_776,
    }),
    logger,
    sinks,
    redaction: {
      keys: new Set(readStringList('audit.redactKeys', options.redactKeys, []).map(normalizeKey)),
      patterns: readPatterns(options.redactPatterns),
      maxChars: readInteger('audit.maxParamsChars', options.maxParamsChars, 16_384, {
        min: 0,
        max: 1_048_576,
      }),
    },
    maxQueued: readInteger('audit.maxQueued', options.maxQueued, 10_000, { min: 16, max: 1_000_000 }),
  };
}

/** The message never holds the key. */
function readKey(option: string, value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'string' && value.length >= MIN_KEY_LENGTH) return value;
  throw new AgentSecurityConfigError(
    'ASEC_AUDIT_KEY',
    option,
    `must be a text of at least ${MIN_KEY_LENGTH} characters, received ${typeof value === 'string' ? `${value.length} characters` : typeof value}`,
    'Make one with: openssl rand -hex 32.',
  );
}

const isSink = (sink: unknown): boolean =>
  isRecord(sink) && typeof sink['name'] === 'string' && typeof sink['write'] === 'function';

function readSinks(value: unknown): readonly AuditSink[] {
  if (value === undefined) return [];
  if (Array.isArray(value) && value.every(isSink)) return [...(value as AuditSink[])];
  throw receivedError(
    'ASEC_OPTION_TYPE',
    'audit.sinks',
    'must be a list of sinks',
    'Pass objects with a name and the method write(lines).',
    value,
  );
}

/** Each replaces every occurrence, also where it was written without the flag `g`; a sticky one would miss all but the first. */
function readPatterns(value: unknown): readonly RegExp[] {
  if (value === undefined) return [];
  if (Array.isArray(value) && value.every(item => item instanceof RegExp)) {
    return (value as RegExp[]).map(
      ({ source, flags }) => new RegExp(source, `${flags.replace(/[gy]/g, '')}g`),
    );
  }
  throw receivedError(
    'ASEC_OPTION_TYPE',
    'audit.redactPatterns',
    'must be a list of regular expressions',
    'Pass for example [/\\bEMP-\\d{6}\\b/].',
    value,
  );
}
