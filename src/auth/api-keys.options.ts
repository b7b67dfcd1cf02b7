/* `auth.apiKeys`: where API keys are stored, and the secret of their digests. */
import { AgentSecurityConfigError } from '../common/config-error.js';
import {
  asGiven,
  optional,
  type OptionTable,
  readTable,
  requiredText,
  type Resolved,
} from '../common/option-table.js';
import { isRecord, type ReadEnvironment, readString, receivedError } from '../common/read-options.js';
import { DEFAULT_PREFIX, PREFIX_FORM, KeyDigests, MIN_PEPPER_LENGTH } from './api-key.js';
import type { ApiKeyStore } from '../identity/api-key-store.js';
import { FileKeyStore } from './file-key-store.js';
import { checkKeyBook, type KeyBook, KeyBookError, parseKeyBook } from './key-book.js';
import { KeyBookStore } from './key-book-store.js';

/**
 * Where API keys are stored, and the secret of their digests. Set one of `store`, `file` and `book`.
 * @example
 * AgentSecurityModule.forRoot({ auth: { apiKeys: { file: 'keys.json', secret } } })
 */
export interface ApiKeysOptions {
  /** A key store of your own: an object with `find(id)`. Excludes `file` and `book`. @default none */
  store?: ApiKeyStore;
  /**
   * The JSON file that `npx nestjs-agent-security keys` writes. Changes are read within a second. Environment: `AUTH_KEYS_FILE`.
   * @default none
   */
  file?: string;
  /**
   * The content of such a file, for example from a secrets manager. The variable contains it as JSON. Environment: `AUTH_API_KEYS`.
   * @default none
   */
  book?: KeyBook;
  /**
   * The secret of the key digests, at least 32 characters. Without its secret no key is valid: store it apart from the keys. To rotate
   * it, list the newest first and keep the old one while its keys are in use. The variable separates several by commas. Environment:
   * `AUTH_KEY_SECRET`.
   * @default none
   */
  secret?: string | readonly string[];
  /**
   * The prefix of keys, by which secret scanners find them: 2 to 16 lower-case letters and digits, beginning with a letter.
   * @default 'ask'
   */
  prefix?: string;
}

export interface ResolvedApiKeys {
  readonly store: ApiKeyStore;
  /** The option or environment variable that the store comes from. */
  readonly origin: string;
  readonly digests: KeyDigests;
  readonly prefix: string;
}

const TABLE = {
  store: optional(readStore),
  file: optional(requiredText),
  book: asGiven,
  secret: asGiven,
  prefix: readPrefix,
} satisfies OptionTable<ApiKeysOptions>;

export function resolveApiKeys(input: unknown, env: ReadEnvironment): ResolvedApiKeys | undefined {
  if (input === false) return undefined;
  const { secret, prefix, ...sources } = readTable('auth.apiKeys', input, TABLE);
  const found = resolveStore(sources, env);
  if (found !== undefined) return { ...found, digests: new KeyDigests(resolveSecrets(secret, env)), prefix };
  if (input === undefined) return undefined;
  const remedy = 'Set store, file (AUTH_KEYS_FILE) or book (AUTH_API_KEYS).';
  throw keysError('auth.apiKeys', 'names no source of keys', remedy);
}

type FoundStore = Pick<ResolvedApiKeys, 'store' | 'origin'>;

function resolveStore(
  sources: Pick<Resolved<typeof TABLE>, 'store' | 'file' | 'book'>,
  env: ReadEnvironment,
): FoundStore | undefined {
  const { store, file, book } = sources;
  const given = Object.entries(sources).filter(([, value]) => value !== undefined);
  if (given.length > 1) {
    throw keysError(
      'auth.apiKeys',
      `names several sources of keys: ${given.map(([name]) => name).join(', ')}`,
      'Set one of store, file and book.',
    );
  }
  if (store !== undefined) return { store, origin: 'auth.apiKeys.store' };
  if (file !== undefined) return { store: new FileKeyStore(file), origin: 'auth.apiKeys.file' };
  if (book !== undefined) return bookStore('auth.apiKeys.book', () => checkKeyBook(book));
  const text = env('AUTH_API_KEYS')?.trim();
  const path = env('AUTH_KEYS_FILE')?.trim();
  if (text && path)
    throw keysError('AUTH_API_KEYS', 'is set together with AUTH_KEYS_FILE', 'Set one of them.');
  if (text) return bookStore('AUTH_API_KEYS', () => parseKeyBook(text));
  return path ? { store: new FileKeyStore(path), origin: 'AUTH_KEYS_FILE' } : undefined;
}

function readStore(option: string, value: unknown): ApiKeyStore {
  if (isRecord(value) && typeof value['find'] === 'function') return value as unknown as ApiKeyStore;
  throw receivedError(
    'ASEC_OPTION_TYPE',
    option,
    'must be an ApiKeyStore',
    'Pass an object with the method find(id).',
    value,
  );
}

function bookStore(origin: string, read: () => KeyBook): FoundStore {
  try {
    return { store: new KeyBookStore(read()), origin };
  } catch (error) {
    throw bookError(origin, error);
  }
}

/** Converts an error of a key book to a configuration error, which contains the path of the invalid field and no value. */
export function bookError(option: string, error: unknown): unknown {
  if (!(error instanceof KeyBookError)) return error;
  const remedy = 'Create it with "npx nestjs-agent-security keys create".';
  return keysError(option, `is not a valid key book: ${error.message}`, remedy);
}

const keysError = (option: string, problem: string, remedy: string): AgentSecurityConfigError =>
  new AgentSecurityConfigError('ASEC_AUTH_KEYS', option, problem, remedy);

function resolveSecrets(value: unknown, env: ReadEnvironment): readonly string[] {
  if (value !== undefined)
    return checkSecrets('auth.apiKeys.secret', typeof value === 'string' ? [value] : value);
  const variable = env('AUTH_KEY_SECRET') ?? '';
  return checkSecrets(
    'AUTH_KEY_SECRET',
    variable.split(',').map(part => part.trim()),
  );
}

/** @throws AgentSecurityConfigError, whose message contains no secret */
export function checkSecrets(option: string, secrets: unknown): readonly string[] {
  const fits =
    Array.isArray(secrets) &&
    secrets.length > 0 &&
    new Set(secrets).size === secrets.length &&
    secrets.every(secret => typeof secret === 'string' && secret.length >= MIN_PEPPER_LENGTH);
  if (fits) return secrets as string[];
  throw new AgentSecurityConfigError(
    'ASEC_AUTH_SECRET',
    option,
    `must hold one or several different secrets of at least ${MIN_PEPPER_LENGTH} characters`,
    'Create one with "openssl rand -base64 48", and store it apart from the keys.',
  );
}

export function readPrefix(option: string, value: unknown): string {
  const prefix = readString(option, value, DEFAULT_PREFIX);
  if (PREFIX_FORM.test(prefix)) return prefix;
  throw receivedError(
    'ASEC_OPTION_TYPE',
    option,
    'must be 2 to 16 lower-case letters and digits, beginning with a letter',
    'Write for example "acme".',
    prefix,
  );
}
