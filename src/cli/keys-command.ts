/* The command `keys`: makes, lists, rotates and revokes API keys. The key itself goes to standard output, once; what is said about it
 * to standard error, so that `KEY=$(… keys create bot)` holds the key alone. */
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
import { KeyDigests } from '../auth/key-digest.js';
import { AgentSecurityConfigError } from '../common/config-error.js';
import { parseDuration } from '../common/read-duration.js';
import { UNIT_MS } from '../common/time-units.js';

export interface CommandIo {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly nowMs: number;
  /** A line of standard output. */
  out(text: string): void;
  /** A line of standard error. */
  tell(text: string): void;
}

const USAGE = `Usage: nestjs-agent-security keys <command>

  create <agent>    a new key; adds the agent, or changes it where options say so
      --scopes a,b      the agent's scopes          --tier name    its limits in rateLimit.tiers
      --tools a,b       tools that it may call      --tenant name
      --key-scopes a    a part of the scopes for this key alone
      --expires 90d     also a time: 2030-01-31T12:00:00Z
      --not-before 1h
      --prefix ask
  list              agents and keys, no secrets     --json
  rotate <key id>   a second key; the first expires behind --overlap (7d)   --expires
  revoke <key id>   ends a key at once
  disable <agent>   ends all keys of an agent at once; enable <agent> undoes it

Where: --file keys.json (AUTH_KEYS_FILE), or --redis (REDIS_URL). Digests need AUTH_KEY_SECRET.`;

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

type Values = {
  [K in keyof typeof OPTIONS]?: (typeof OPTIONS)[K]['type'] extends 'boolean' ? boolean : string;
};

class UsageError extends Error {}

/** Runs the command. @returns the exit status: 0, 1 for what could not be done, 2 for a command that is none */
export async function runKeysCommand(args: readonly string[], io: CommandIo): Promise<number> {
  try {
    const { values, positionals } = parse(args);
    if (values.help === true) io.out(USAGE);
    else await run(positionals, values, io);
    return 0;
  } catch (error) {
    if (error instanceof UsageError) {
      io.tell(`${error.message}\n\n${USAGE}`);
      return 2;
    }
    const known = error instanceof KeyBookError || error instanceof AgentSecurityConfigError;
    io.tell(known ? `Failed: ${error.message}` : `Failed: ${String(error)}`);
    return 1;
  }
}

function parse(args: readonly string[]): { values: Values; positionals: string[] } {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

async function run(
  [area, command, subject, ...more]: string[],
  values: Values,
  io: CommandIo,
): Promise<void> {
  if (area !== 'keys' || command === undefined) throw new UsageError('Which command?');
  if (more.length > 0) throw new UsageError(`Too many arguments: ${more.join(' ')}`);
  const place = await openPlace(values, io);
  try {
    await runIn(place, command, subject, values, io);
  } finally {
    place.close();
  }
}

async function runIn(
  place: KeyPlace,
  command: string,
  subject: string | undefined,
  values: Values,
  io: CommandIo,
): Promise<void> {
  const named = (what: string): string => {
    if (subject === undefined || subject === '') throw new UsageError(`Which ${what}?`);
    return subject;
  };
  switch (command) {
    case 'create': {
      const agentId = named('agent');
      const options = newKey(values, io);
      const { key, id } = await place.change(book =>
        addKey(book, agentId, agentOf(values), readDigests(io), options),
      );
      io.tell(`Key ${id} of ${agentId}, in ${place.name}. It is shown this once:`);
      io.out(key);
      return;
    }
    case 'rotate': {
      const old = named('key id');
      const overlapMs = readDuration('--overlap', values.overlap ?? '7d');
      const options = newKey(values, io);
      const { key, id } = await place.change(book =>
        rotateKey(book, old, overlapMs, readDigests(io), options),
      );
      io.tell(
        `Key ${id} takes the place of ${old}, which expires ${iso(io.nowMs + overlapMs)} at the latest.`,
      );
      io.tell('It is shown this once:');
      io.out(key);
      return;
    }
    case 'revoke': {
      const id = named('key id');
      await place.change(book => ({ book: revokeKey(book, id, io.nowMs) }));
      io.tell(`Key ${id} is revoked.`);
      return;
    }
    case 'disable':
    case 'enable': {
      const agentId = named('agent');
      await place.change(book => ({ book: setAgentDisabled(book, agentId, command === 'disable') }));
      io.tell(`Agent ${agentId} is ${command}d.`);
      return;
    }
    case 'list': {
      if (subject !== undefined) throw new UsageError(`Too many arguments: ${subject}`);
      list(await place.read(), values.json === true, io);
      return;
    }
    default:
      throw new UsageError(`There is no command ${JSON.stringify(command)}`);
  }
}

function list(book: KeyBook, asJson: boolean, io: CommandIo): void {
  const keys = book.keys.map(({ digest: _digest, ...key }) => ({
    ...key,
    state: stateOf(key, book.agents[key.agent]!, io.nowMs),
  }));
  if (asJson) {
    io.out(JSON.stringify({ agents: book.agents, keys }, null, 2));
    return;
  }
  for (const { id, agent, state, expires, scopes } of keys) {
    const granted = scopes ?? book.agents[agent]!.scopes ?? [];
    io.out([id, agent, state, expires ?? 'never expires', granted.join(',') || '-'].join('\t'));
  }
  io.tell(`${keys.length} keys of ${Object.keys(book.agents).length} agents`);
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

/* ---- where the keys are ---- */

interface KeyPlace {
  readonly name: string;
  read(): Promise<KeyBook>;
  change<T extends { readonly book: KeyBook }>(change: (book: KeyBook) => T): Promise<T>;
  close(): void;
}

async function openPlace({ file, redis }: Values, io: CommandIo): Promise<KeyPlace> {
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

/* ---- what the options say ---- */

function readDigests({ env }: CommandIo): KeyDigests {
  const secrets = (env['AUTH_KEY_SECRET'] ?? '').split(',').map(part => part.trim());
  return new KeyDigests(checkSecrets('AUTH_KEY_SECRET', secrets));
}

function newKey(values: Values, { nowMs }: CommandIo): Parameters<typeof addKey>[4] {
  return {
    prefix: readPrefix('--prefix', values.prefix),
    nowMs,
    notBeforeMs: readMoment('--not-before', values['not-before'], nowMs),
    expiresMs: readMoment('--expires', values.expires, nowMs),
    scopes: readList(values['key-scopes']),
  };
}

function agentOf(values: Values): KeyBookAgent {
  const { tier, tenant } = values;
  const [scopes, tools] = [readList(values.scopes), readList(values.tools)];
  return {
    ...(scopes === undefined ? {} : { scopes }),
    ...(tools === undefined ? {} : { tools }),
    ...(tier === undefined ? {} : { tier }),
    ...(tenant === undefined ? {} : { tenant }),
  };
}

const readList = (text: string | undefined): string[] | undefined =>
  text
    ?.split(',')
    .map(part => part.trim())
    .filter(part => part !== '');

/** Beyond it, `Date` would not hold the time. */
const MAX_DURATION_MS = 1_000_000 * UNIT_MS.day;

function readDuration(option: string, text: string): number {
  const ms = parseDuration(text);
  if (ms !== undefined && ms < MAX_DURATION_MS) return ms;
  throw new UsageError(`${option} is not a duration: write 30min, 12h or 90d`);
}

/** A span from now, or a time with its zone. */
function readMoment(option: string, text: string | undefined, nowMs: number): number | undefined {
  if (text === undefined) return undefined;
  if (!text.includes('T')) return nowMs + readDuration(option, text);
  const ms = /(?:Z|[+-]\d\d:\d\d)$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms)) throw new UsageError(`${option} is no time: write 2030-01-31T12:00:00Z`);
  return ms;
}

const iso = (ms: number): string => new Date(ms).toISOString();
