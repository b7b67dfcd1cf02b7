/* Where API keys are, and what they are made with. */
import { AgentSecurityConfigError } from '../common/config-error.js';
import {
  isRecord,
  type ReadEnvironment,
  readObject,
  readString,
  receivedError,
} from '../common/read-options.js';
import { DEFAULT_PREFIX, PREFIX_FORM } from './api-key-format.js';
import type { ApiKeyStore } from '../identity/api-key-store.js';
import { FileKeyStore } from './file-key-store.js';
import { checkKeyBook, type KeyBook, KeyBookError, parseKeyBook } from './key-book.js';
import { KeyBookStore } from './key-book-store.js';
import { KeyDigests, MIN_PEPPER_LENGTH } from './key-digest.js';

export interface ApiKeysOptions {
  /** An object with `find(id)` that has the keys. Excludes `file` and `book`. @default none */
  store?: ApiKeyStore;
  /**
   * The path of the JSON file that `npx nestjs-agent-security keys` writes. The file is watched. Environment: `AUTH_KEYS_FILE`.
   * @default none
   */
  file?: string;
  /** The content of such a file, from a secrets manager; as JSON in the variable. Environment: `AUTH_API_KEYS`. @default none */
  book?: KeyBook;
  /**
   * The secret of key digests, at least 32 characters; several, the newest first, while keys of an older one are in use (separated by
   * commas in the variable). Without its secret no key verifies: keep it apart from the keys, and keep the old one in the list until
   * its keys are gone. Environment: `AUTH_KEY_SECRET`.
   * @default none
   */
  secret?: string | readonly string[];
  /** What keys begin with, so that secret scanners find them. @default 'ask' */
  prefix?: string;
}

export interface ResolvedApiKeys {
  readonly store: ApiKeyStore;
  /** The option or variable that the store comes from. */
  readonly origin: string;
  readonly digests: KeyDigests;
  readonly prefix: string;
}

export function resolveApiKeys(input: unknown, env: ReadEnvironment): ResolvedApiKeys | undefined {
  if (input === false) return undefined;
  const options = readObject('auth.apiKeys', input, ['store', 'file', 'book', 'secret', 'prefix']);
  const found = resolveStore(options, env);
  if (found === undefined) {
    if (input === undefined) return undefined;
    throw new AgentSecurityConfigError(
      'ASEC_AUTH_KEYS',
      'auth.apiKeys',
      'says nowhere where the keys are',
      'Give store, file (AUTH_KEYS_FILE) or book (AUTH_API_KEYS).',
    );
  }
  return {
    ...found,
    digests: new KeyDigests(resolveSecrets(options.secret, env)),
    prefix: readPrefix('auth.apiKeys.prefix', options.prefix),
  };
}

function resolveStore(
  { store, file, book }: Partial<Record<keyof ApiKeysOptions, unknown>>,
  env: ReadEnvironment,
): Pick<ResolvedApiKeys, 'store' | 'origin'> | undefined {
  const given = Object.entries({ store, file, book }).filter(([, value]) => value !== undefined);
  if (given.length > 1) {
    throw new AgentSecurityConfigError(
      'ASEC_AUTH_KEYS',
      'auth.apiKeys',
      `names several places of keys: ${given.map(([name]) => name).join(', ')}`,
      'Give one of store, file and book.',
    );
  }
  if (store !== undefined) {
    if (isRecord(store) && typeof store['find'] === 'function')
      return { store: store as unknown as ApiKeyStore, origin: 'auth.apiKeys.store' };
    throw receivedError(
      'ASEC_OPTION_TYPE',
      'auth.apiKeys.store',
      'must be an ApiKeyStore',
      'Pass an object with the method find(id).',
      store,
    );
  }
  if (file !== undefined) return fileStore('auth.apiKeys.file', file);
  if (book !== undefined) return bookStore('auth.apiKeys.book', () => checkKeyBook(book));
  const text = env('AUTH_API_KEYS')?.trim();
  const path = env('AUTH_KEYS_FILE')?.trim();
  if (text && path) {
    throw new AgentSecurityConfigError(
      'ASEC_AUTH_KEYS',
      'AUTH_API_KEYS',
      'is set beside AUTH_KEYS_FILE',
      'Set one of them.',
    );
  }
  if (text) return bookStore('AUTH_API_KEYS', () => parseKeyBook(text));
  return path ? fileStore('AUTH_KEYS_FILE', path) : undefined;
}

function fileStore(origin: string, path: unknown): Pick<ResolvedApiKeys, 'store' | 'origin'> {
  return { store: new FileKeyStore(readString(origin, path, '')), origin };
}

/** The message names the place of the mistake and shows nothing of the value. */
function bookStore(origin: string, read: () => KeyBook): Pick<ResolvedApiKeys, 'store' | 'origin'> {
  try {
    return { store: new KeyBookStore(read()), origin };
  } catch (error) {
    throw bookError(origin, error);
  }
}

/** What a store could not read, as an error of the configuration. */
export function bookError(option: string, error: unknown): unknown {
  if (!(error instanceof KeyBookError)) return error;
  return new AgentSecurityConfigError(
    'ASEC_AUTH_KEYS',
    option,
    `is no book of keys: ${error.message}`,
    'Make it with "npx nestjs-agent-security keys create".',
  );
}

function resolveSecrets(value: unknown, env: ReadEnvironment): readonly string[] {
  const option = value === undefined ? 'AUTH_KEY_SECRET' : 'auth.apiKeys.secret';
  const given =
    value === undefined
      ? (env('AUTH_KEY_SECRET') ?? '').split(',').map(part => part.trim())
      : typeof value === 'string'
        ? [value]
        : value;
  return checkSecrets(option, given);
}

/** @throws AgentSecurityConfigError, which shows nothing of a secret */
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
    'Make one with "openssl rand -base64 48", and keep it apart from the keys.',
  );
}

export function readPrefix(option: string, value: unknown): string {
  const prefix = readString(option, value, DEFAULT_PREFIX);
  if (PREFIX_FORM.test(prefix)) return prefix;
  throw receivedError(
    'ASEC_OPTION_TYPE',
    option,
    'must be 2 to 16 lower-case letters and digits that begin with a letter',
    'Write for example "acme".',
    prefix,
  );
}
