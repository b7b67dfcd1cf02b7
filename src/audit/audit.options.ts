import { AgentSecurityConfigError } from '../common/config-error.js';
import {
  expandShort,
  integer,
  mapped,
  optional,
  type OptionTable,
  type ReadOption,
  readTable,
  requiredText,
  type Resolved,
  texts,
} from '../common/option-table.js';
import { isRecord, readBoolean, type ReadEnvironment, receivedError } from '../common/read-options.js';
import type { AuditSink } from './audit-sink.js';
import { normalizeKey } from './secrets.js';

/**
 * Where the audit records of tool calls are written, and what they do not show.
 * @example
 * AgentSecurityModule.forRoot({ audit: { file: 'audit.jsonl', key: secret, redactKeys: ['iban'] } })
 */
export interface AuditOptions {
  /**
   * A file to which records are appended as a hash chain: `npx nestjs-agent-security audit verify FILE` finds lines that were changed,
   * removed or moved, and a tail that was cut. Each process, and each app of a process, needs its own file. A file stops the start-up if
   * it is open already, it cannot be written, another user owns it or can write it, or it does not continue its chain. Environment:
   * `AUDIT_FILE`.
   * @default none
   */
  file?: string;
  /**
   * The secret of the chain (HMAC-SHA-256), at least 32 characters.
   *
   * Danger: without it, a user who can write the file can make a new chain that is valid. Environment: `AUDIT_KEY`.
   * @default none: plain SHA-256
   */
  key?: string;
  /**
   * The size at which the file is rotated to `FILE.<number of its first line>`; the chain continues in a new file. From 64 KiB to 1 TiB.
   * @default 104857600 (100 MiB)
   */
  maxFileBytes?: number;
  /**
   * Writes records to Nest's log, under the context `AgentAudit`: `true` as a line of JSON, `'object'` as an object, for loggers such as
   * pino.
   * @default true without a file and sinks, otherwise `false`
   */
  logger?: boolean | 'object';
  /** Sinks of your own: objects with a `name` and `write(lines)`, and optionally `open()` and `close()`. @default [] */
  sinks?: readonly AuditSink[];
  /**
   * Names of parameters that records do not show, at any depth, in addition to passwords, secrets, tokens and the like. Case, `_` and `-`
   * are ignored.
   * @default []
   */
  redactKeys?: readonly string[];
  /**
   * Regular expressions whose matches are replaced in every text, in addition to keys, tokens and card numbers.
   *
   * Danger: they run on text that clients send. An expression that backtracks can block the process.
   * @default []
   */
  redactPatterns?: readonly RegExp[];
  /**
   * The approximate number of characters that the parameters of one record may have, up to 1048576; `0` shows none.
   * @default 16384
   */
  maxParamsChars?: number;
  /**
   * The largest number of records that wait for a sink, from 16 to 1000000, and at most 64 MiB of them. When the queue is three quarters
   * full, records of impact `'low'` are dropped and counted; when it is full, calls of a higher impact get 503 `audit_unavailable`.
   * Records of rejections use an eighth at most, and are counted beyond it.
   * @default 10000
   */
  maxQueued?: number;
}

const MIN_KEY_LENGTH = 32;

const isSink = (sink: unknown): sink is AuditSink =>
  isRecord(sink) && typeof sink['name'] === 'string' && typeof sink['write'] === 'function';

const isPattern = (item: unknown): item is RegExp => item instanceof RegExp;

/** Each replaces every occurrence, with or without the flag `g`; a sticky one would miss all but the first. */
const toGlobal = (patterns: readonly RegExp[]): readonly RegExp[] =>
  patterns.map(({ source, flags }) => new RegExp(source, `${flags.replace(/[gy]/g, '')}g`));

function listOf<T>(
  isItem: (item: unknown) => item is T,
  items: string,
  remedy: string,
): ReadOption<readonly T[]> {
  return (option, value = []) => {
    if (Array.isArray(value) && value.every(isItem)) return [...value];
    throw receivedError('ASEC_OPTION_TYPE', option, `must be a list of ${items}`, remedy, value);
  };
}

const TABLE = {
  file: optional(requiredText),
  key: optional(readKey),
  maxFileBytes: integer(104_857_600, 65_536, 1_099_511_627_776),
  logger: optional((option, value) => (value === 'object' ? value : readBoolean(option, value, true))),
  sinks: listOf(isSink, 'sinks', 'Pass objects with a name and the method write(lines).'),
  redactKeys: mapped(texts(), (keys): ReadonlySet<string> => new Set(keys.map(normalizeKey))),
  redactPatterns: mapped(
    listOf(isPattern, 'regular expressions', 'Pass for example [/\\bEMP-\\d{6}\\b/].'),
    toGlobal,
  ),
  maxParamsChars: integer(16_384, 0, 1_048_576),
  maxQueued: integer(10_000, 16, 1_000_000),
} satisfies OptionTable<AuditOptions>;

export interface ResolvedAudit extends Resolved<typeof TABLE> {
  readonly logger: boolean | 'object';
}

export function resolveAudit(input: unknown, env: ReadEnvironment): ResolvedAudit | false {
  if (input === false) return false;
  const options = readTable('audit', expandShort(input, 'file'), TABLE);
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
