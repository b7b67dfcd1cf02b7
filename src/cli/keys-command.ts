/* The command `keys`: creates, lists, rotates and revokes API keys. A new key is printed once to standard output and all messages to
 * standard error, so that `KEY=$(… keys create bot)` contains only the key. */
import { parseArgs } from 'node:util';
import { checkSecrets, readPrefix } from '../auth/api-keys.options.js';
import { changeKeyFile, readKeyFile } from '../auth/file-key-store.js';
import {
  addKey,
  type KeyBook,
  type KeyBookAgent,
  KeyBookError,
  revokeKey,
  rotateKey,
  setAgentDisabled,
} from '../auth/key-book.js';
import { KeyDigests } from '../auth/api-key.js';
import { AgentSecurityConfigError } from '../common/config-error.js';
import { parseDuration, UNIT_MS } from '../common/parse-duration.js';
import type { CommandIo } from './main.js';

type KeysCommandIo = CommandIo & { readonly nowMs: number };

const USAGE = `Usage: nestjs-agent-security keys <command>

  create <agent>    Creates a key. Adds the agent, or updates it with the given options.
      --scopes a,b      scopes of the agent         --tier name    its limits in rateLimit.tiers
      --tools a,b       tools that it may call      --tenant name
      --key-scopes a    a subset of the scopes, for this key only
      --expires 90d     a duration, or a time: 2030-01-31T12:00:00Z
      --not-before 1h   the same
      --prefix ask
  list              Lists agents and keys, without secrets. --json
  rotate <key id>   Creates a second key; the first expires after --overlap (7d). --expires
  revoke <key id>   Revokes a key.
  disable <agent>   Disables an agent with all of its keys. "enable <agent>" enables it again.

Keys are stored in --file keys.json (AUTH_KEYS_FILE), or with --redis in Redis (REDIS_URL). AUTH_KEY_SECRET is required.
`;

const OPTIONS = {
  scopes: { type: 'string' },
  'key-scopes': { type: 'string' },
  tier: { type: 'string' },
  tenant: { type: 'string' },
  tools: { type: 'string' },
  expires: { type: 'string' },
  'not-before': { type: 'string' },
  overlap: { type: 'string' },
  prefix: { type: 'string' },
  file: { type: 'string' },
  redis: { type: 'boolean' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS; allowPositionals: true }>>['values'];

class UsageError extends Error {}

/** Runs the command. @returns the exit status: 0 for success, 1 for a failure, 2 for wrong usage */
export async function runKeysCommand(args: readonly string[], io: KeysCommandIo): Promise<number> {
  try {
    await run(args, io);
    return 0;
  } catch (error) {
    if (error instanceof UsageError) {
      io.err(`${error.message}\n\n${USAGE}`);
      return 2;
    }
    const known = error instanceof KeyBookError || error instanceof AgentSecurityConfigError;
    io.err(`Failed: ${known ? error.message : String(error)}\n`);
    return 1;
  }
}

async function run(args: readonly string[], io: KeysCommandIo): Promise<void> {
  const { values, positionals } = parse(args);
  if (values.help === true) return io.out(USAGE);
  const [area, command, subject, ...more] = positionals;
  if (area !== 'keys' || command === undefined) throw new UsageError('Which command?');
  if (more.length > 0) throw new UsageError(`Too many arguments: ${more.join(' ')}`);
  const storage = await openStorage(values, io);
  try {
    await runIn(storage, command, subject, values, io);
  } finally {
    storage.close();
  }
}

function parse(args: readonly string[]): { values: Values; positionals: string[] } {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

async function runIn(
  storage: KeyStorage,
  command: string,
  subject: string | undefined,
  values: Values,
  io: KeysCommandIo,
): Promise<void> {
  const requireSubject = (what: string): string => {
    if (subject === undefined || subject === '') throw new UsageError(`Which ${what}?`);
    return subject;
  };
  switch (command) {
    case 'create': {
      const agent = requireSubject('agent');
      const options = newKey(values, io);
      const { key, id } = await storage.change(book =>
        addKey(book, agent, agentFieldsOf(values), readDigests(io), options),
      );
      return showKey(io, key, `Created key ${id} of ${agent} in ${storage.name}.`);
    }
    case 'rotate': {
      const old = requireSubject('key id');
      const overlapMs = readDuration('--overlap', values.overlap ?? '7d');
      const options = newKey(values, io);
      const { key, id } = await storage.change(book =>
        rotateKey(book, old, overlapMs, readDigests(io), options),
      );
      const ends = new Date(io.nowMs + overlapMs).toISOString();
      return showKey(io, key, `Created key ${id}. ${old} expires at ${ends} or earlier.`);
    }
    case 'revoke': {
      const id = requireSubject('key id');
      await storage.change(book => ({ book: revokeKey(book, id, io.nowMs) }));
      return io.err(`Key ${id} is revoked.\n`);
    }
    case 'disable':
    case 'enable': {
      const agent = requireSubject('agent');
      await storage.change(book => ({ book: setAgentDisabled(book, agent, command === 'disable') }));
      return io.err(`Agent ${agent} is ${command}d.\n`);
    }
    case 'list':
      if (subject !== undefined) throw new UsageError(`Too many arguments: ${subject}`);
      return list(await storage.read(), values.json === true, io);
    default:
      throw new UsageError(`Unknown command ${JSON.stringify(command)}`);
  }
}

function showKey(io: KeysCommandIo, key: string, message: string): void {
  io.err(`${message} The key is shown only once:\n`);
  io.out(`${key}\n`);
}

function list(book: KeyBook, asJson: boolean, io: KeysCommandIo): void {
  const keys = book.keys.map(({ digest: _digest, ...key }) => ({
    ...key,
    state: stateOf(key, book.agents[key.agent]!, io.nowMs),
  }));
  if (asJson) return io.out(`${JSON.stringify({ agents: book.agents, keys }, null, 2)}\n`);
  for (const { id, agent, state, expires, scopes } of keys) {
    const granted = scopes ?? book.agents[agent]!.scopes ?? [];
    io.out(`${[id, agent, state, expires ?? 'never expires', granted.join(',') || '-'].join('\t')}\n`);
  }
  io.err(`${keys.length} keys of ${Object.keys(book.agents).length} agents\n`);
}

function stateOf(
  key: { revoked?: string; notBefore?: string; expires?: string },
  agent: KeyBookAgent,
  nowMs: number,
): string {
  if (key.revoked !== undefined) return 'revoked';
  if (agent.disabled === true) return 'disabled';
  if (key.expires !== undefined && Date.parse(key.expires) <= nowMs) return 'expired';
  return key.notBefore !== undefined && Date.parse(key.notBefore) > nowMs ? 'not yet valid' : 'live';
}

interface KeyStorage {
  readonly name: string;
  read(): Promise<KeyBook>;
  change<T extends { readonly book: KeyBook }>(change: (book: KeyBook) => T): Promise<T>;
  close(): void;
}

async function openStorage({ file, redis }: Values, io: KeysCommandIo): Promise<KeyStorage> {
  const env = (name: string): string | undefined => io.env[name]?.trim() || undefined;
  if (redis !== true) {
    const path = file ?? env('AUTH_KEYS_FILE') ?? 'keys.json';
    return {
      name: path,
      read: () => readKeyFile(path),
      change: change => changeKeyFile(path, change),
      close: () => undefined,
    };
  }
  const url = env('REDIS_URL');
  if (url === undefined) throw new UsageError('--redis needs REDIS_URL');
  const { createRedisKeyStore } = await import('../redis/key-store.js');
  const store = await createRedisKeyStore(url);
  await store.connect();
  return {
    name: 'Redis',
    read: async () => (await store.read()).book,
    change: async change => {
      const { book, version } = await store.read();
      const changed = change(book);
      await store.write(changed.book, version);
      return changed;
    },
    close: () => store.close(),
  };
}

function readDigests({ env }: KeysCommandIo): KeyDigests {
  const secrets = (env['AUTH_KEY_SECRET'] ?? '').split(',').map(part => part.trim());
  return new KeyDigests(checkSecrets('AUTH_KEY_SECRET', secrets));
}

function newKey(values: Values, { nowMs }: KeysCommandIo): Parameters<typeof addKey>[4] {
  return {
    prefix: readPrefix('--prefix', values.prefix),
    nowMs,
    notBeforeMs: readMoment('--not-before', values['not-before'], nowMs),
    expiresMs: readMoment('--expires', values.expires, nowMs),
    scopes: readList(values['key-scopes']),
  };
}

function agentFieldsOf(values: Values): KeyBookAgent {
  const { tier, tenant } = values;
  const fields = { scopes: readList(values.scopes), tools: readList(values.tools), tier, tenant };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

const readList = (text: string | undefined): string[] | undefined =>
  text
    ?.split(',')
    .map(part => part.trim())
    .filter(part => part !== '');

/** `Date` cannot represent times far beyond it. */
const MAX_DURATION_MS = 1_000_000 * UNIT_MS.day;

function readDuration(option: string, text: string): number {
  const ms = parseDuration(text);
  if (ms !== undefined && ms < MAX_DURATION_MS) return ms;
  throw new UsageError(`${option} is not a duration: write 30min, 12h or 90d`);
}

/** Parses a duration from now, or a time with its zone. */
function readMoment(option: string, text: string | undefined, nowMs: number): number | undefined {
  if (text === undefined) return undefined;
  if (!text.includes('T')) return nowMs + readDuration(option, text);
  const ms = /(?:Z|[+-]\d\d:\d\d)$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms)) throw new UsageError(`${option} is not a time: write 2030-01-31T12:00:00Z`);
  return ms;
}
