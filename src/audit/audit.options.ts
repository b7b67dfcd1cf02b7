import { AgentSecurityConfigError } from '../common/config-error.js';
import {
  integer,
  optional,
  type OptionTable,
  readTable,
  requiredText,
  type Resolved,
} from '../common/option-table.js';
import {
  isRecord,
  readBoolean,
  type ReadEnvironment,
  readStringList,
  receivedError,
} from '../common/read-options.js';
import type { AuditSink } from './audit-sink.js';
import { normalizeKey } from './secret-names.js';

/**
 * Where the audit records of tool calls are written, and what they do not show.
 * @example
 * AgentSecurityModule.forRoot({ audit: { file: 'audit.jsonl', key: secret, redactKeys: ['iban'] } })
 */
export interface AuditOptions {
  /**
   * A file to which records are appended as a hash chain: `npx nestjs-agent-security audit verify FILE` finds lines that were changed,
   * removed or moved, and a tail that was cut. Each process needs its own file. Environment: `AUDIT_FILE`.
   * @default none
   */
  file?: string;
  /**
   * The secret of the chain, of at least 32 characters. Without it, a user who can write the file can also make a new chain. Environment:
   * `AUDIT_KEY`.
   * @default none: plain SHA-256
   */
  key?: string;
  /** The size at which the file is rotated to FILE.<number of its first line>; the chain continues in a new file. @default 100 MiB */
  maxFileBytes?: number;
  /**
   * Writes records to Nest's log: `true` as a line of JSON, `'object'` as an object, for loggers such as pino.
   * @default true without a file and sinks
   */
  logger?: boolean | 'object';
  /** Sinks of your own. @default [] */
  sinks?: readonly AuditSink[];
  /** Names of parameters that records do not show, at any depth, in addition to passwords, secrets, tokens and the like. @default [] */
  redactKeys?: readonly string[];
  /** Text that records do not show, in addition to keys, tokens and card numbers. @default [] */
  redactPatterns?: readonly RegExp[];
  /** The largest number of characters of the parameters in one record. @default 16384 */
  maxParamsChars?: number;
  /**
   * The largest number of records that wait for a sink, up to 64 MiB. When the queue is three quarters full, records of impact `'low'` are
   * dropped and counted; when it is full, calls of a higher impact get 503. Records of rejections use an eighth at most, and are counted
   * beyond it.
   * @default 10000
   */
  maxQueued?: number;
}

const MIN_KEY_LENGTH = 32;

const TABLE = {
  file: optional(requiredText),
  key: optional(readKey),
  maxFileBytes: integer(104_857_600, 65_536, 1_099_511_627_776),
  logger: optional((option, value) => (value === 'object' ? value : readBoolean(option, value, true))),
  sinks: readSinks,
  redactKeys: (option, value): ReadonlySet<string> =>
    new Set(readStringList(option, value, []).map(normalizeKey)),
  redactPatterns: readPatterns,
  maxParamsChars: integer(16_384, 0, 1_048_576),
  maxQueued: integer(10_000, 16, 1_000_000),
} satisfies OptionTable<AuditOptions>;

export interface ResolvedAudit extends Resolved<typeof TABLE> {
  readonly logger: boolean | 'object';
}

export function resolveAudit(input: unknown, env: ReadEnvironment): ResolvedAudit | false {
  if (input === false) return false;
  const options = readTable('audit', input, TABLE);
  const { sinks, file = env('AUDIT_FILE')?.trim() || undefined } = options;
  const key = options.key ?? optional(readKey)('AUDIT_KEY', env('AUDIT_KEY') || undefined);
  const isOnlyPlace = file === undefined && sinks.length === 0;
  const { logger = isOnlyPlace } = options;
  if (logger === false && isOnlyPlace) {
    throw receivedError(
      'ASEC_OPTION_TYPE',
      'audit.logger',
      'leaves no place for audit records',
      'Name audit.file (AUDIT_FILE) or audit.sinks as well, or switch the audit off: audit: false.',
      logger,
    );
  }
  return { ...options, file, key, logger };
}

/** The message never holds the key. */
function readKey(option: string, value: unknown): string {
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

function readSinks(option: string, value: unknown): readonly AuditSink[] {
  if (value === undefined) return [];
  if (Array.isArray(value) && value.every(isSink)) return [...(value as AuditSink[])];
  throw receivedError(
    'ASEC_OPTION_TYPE',
    option,
    'must be a list of sinks',
    'Pass objects with a name and the method write(lines).',
    value,
  );
}

/** Each replaces every occurrence, with or without the flag `g`; a sticky one would miss all but the first. */
function readPatterns(option: string, value: unknown): readonly RegExp[] {
  if (value === undefined) return [];
  if (Array.isArray(value) && value.every(item => item instanceof RegExp)) {
    return (value as RegExp[]).map(
      ({ source, flags }) => new RegExp(source, `${flags.replace(/[gy]/g, '')}g`),
    );
  }
  throw receivedError(
    'ASEC_OPTION_TYPE',
    option,
    'must be a list of regular expressions',
    'Pass for example [/\\bEMP-\\d{6}\\b/].',
    value,
  );
}
