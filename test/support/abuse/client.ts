/* A hostile client: raw sockets that pipeline, half-close, reset at any byte, trickle bodies and upgrade again and again. Each run is
 * reproduced by its seed. */
import { connect, type Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';

/** mulberry32: a small generator of numbers in [0, 1), so that a failing run can be repeated. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }

  below(bound: number): number {
    return Math.floor(this.next() * bound);
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
}

export interface AbuseTarget {
  readonly port: number;
  readonly key: string;
}

let requests = 0;

/** One request as bytes. `ends` says that its answer ends by itself. */
interface Request {
  readonly text: string;
  readonly ends: boolean;
}

const UPGRADE = [
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
];

/** Requests to every kind of endpoint; the first word of each names it in a failure. */
const KINDS: readonly ((target: AbuseTarget, random: Random) => Request)[] = [
  target => request(target, 'GET', '/plain', []),
  target => request(target, 'GET', '/nothing', []),
  target => request(target, 'GET', '/slow', key(target)),
  target => request(target, 'GET', '/slow', []),
  target => ({ ...request(target, 'GET', '/stream', key(target)), ends: false }),
  target => request(target, 'POST', '/echo', ['Content-Type: application/json'], '{"a":[1,2,{"b":"c"}]}'),
  target => request(target, 'POST', '/echo', ['Content-Type: application/json'], '{"a":1,"a":2}'),
  target => request(target, 'POST', '/tool', key(target)),
  target => request(target, 'POST', '/tool', key(target)),
  target => request(target, 'POST', '/tool', []),
  target =>
    request(target, 'POST', '/mcp', [...mcp('danger_over_mcp'), ...key(target)], toolCall('danger_over_mcp')),
  target =>
    request(target, 'POST', '/mcp', [...mcp('danger_over_mcp'), ...key(target)], toolCall('danger_over_mcp')),
  target => request(target, 'POST', '/mcp', mcp('danger_over_mcp'), toolCall('danger_over_mcp')),
  target => request(target, 'POST', '/mcp', [...mcp('other'), ...key(target)], toolCall('danger_over_mcp')),
  target =>
    request(
      target,
      'POST',
      '/oauth/token',
      [
        'Content-Type: application/x-www-form-urlencoded',
        `Authorization: Basic ${Buffer.from(`bot:${target.key}`).toString('base64')}`,
      ],
      'grant_type=client_credentials',
    ),
  target =>
    request(
      target,
      'POST',
      '/.well-known/csp-reports',
      ['Content-Type: application/csp-report'],
      '{"csp-report":{"document-uri":"https://a.example/","violated-directive":"script-src","blocked-uri":"inline"}}',
    ),
  target => ({ ...request(target, 'GET', '/ws', [...UPGRADE, ...key(target)]), ends: false }),
  target => ({ ...request(target, 'GET', '/ws', UPGRADE), ends: false }),
  target => ({ ...request(target, 'GET', '/ws', UPGRADE, '', 'evil.example'), ends: false }),
  target => request(target, 'GET', '/plain', [], '', 'evil.example'),
  target =>
    request(
      target,
      'POST',
      '/echo',
      ['Origin: https://evil.example', 'Content-Type: application/json'],
      '{}',
    ),
  target => request(target, 'POST', '/tool', ['Expect: 100-continue', ...key(target)], '{}'),
  target => request(target, 'POST', '/tool', ['Expect: something', ...key(target)], '{}'),
  (_target, random) => ({ text: `GET /\u0000${random.below(9)} HTTP/1.1\r\n\r\n`, ends: true }),
];

function request(
  { port }: AbuseTarget,
  method: string,
  path: string,
  headers: readonly string[],
  body = '',
  host = `127.0.0.1:${port}`,
): Request {
  const lines = [
    `${method} ${path} HTTP/1.1`,
    `Host: ${host}`,
    `X-Request-ID: abuse-${++requests}`,
    ...headers,
  ];
  if (body !== '' || method === 'POST') lines.push(`Content-Length: ${Buffer.byteLength(body)}`);
  return { text: `${lines.join('\r\n')}\r\n\r\n${body}`, ends: true };
}

const key = (target: AbuseTarget): readonly string[] => [`X-API-Key: ${target.key}`];

const mcp = (name: string): readonly string[] => [
  'Content-Type: application/json',
  'Accept: application/json, text/event-stream',
  'MCP-Protocol-Version: 2026-07-28',
  'Mcp-Method: tools/call',
  `Mcp-Name: ${name}`,
];

const toolCall = (name: string): string =>
  JSON.stringify({
    jsonrpc: '2.0',
    id: 1,
    method: 'tools/call',
    params: {
      name,
      arguments: {},
      _meta: {
        'io.modelcontextprotocol/protocolVersion': '2026-07-28',
        'io.modelcontextprotocol/clientInfo': { name: 'abuse', version: '1' },
        'io.modelcontextprotocol/clientCapabilities': {},
      },
    },
  });

/** How a connection ends. */
const ENDINGS = [
  'read',
  'half-close',
  'reset',
  'reset-at-offset',
  'reset-on-answer',
  'destroy',
  'trickle',
] as const;

/** How long the server may take to end a connection after `Connection: close`. */
const PATIENCE_MS = 20_000;

/** One hostile connection. @returns how many requests were written; rejects where the server leaves a connection open */
export async function abuseOnce(target: AbuseTarget, random: Random): Promise<number> {
  const ending = random.pick(ENDINGS);
  const list = Array.from({ length: 1 + random.below(6) }, () => random.pick(KINDS)(target, random));
  // An answer that does not end cannot be read to its end.
  const chosen = ending === 'read' || ending === 'half-close' ? list.filter(each => each.ends) : list;
  const texts = chosen.map(each => each.text);
  if (ending === 'read') texts.push(request(target, 'GET', '/plain', ['Connection: close']).text);
  const bytes = Buffer.from(texts.join(''), 'latin1');
  const socket = connect({ port: target.port, host: '127.0.0.1', noDelay: true });
  const closed = whenClosed(
    socket,
    `${ending} after ${JSON.stringify(texts.map(each => each.split('\r\n')[0]))}`,
  );
  await Promise.all([ENDS[ending](socket, bytes, random), closed]);
  return texts.length;
}

const ENDS: Readonly<
  Record<(typeof ENDINGS)[number], (socket: Socket, bytes: Buffer, random: Random) => Promise<void>>
> = {
  async read(socket, bytes) {
    socket.write(bytes);
  },
  async 'half-close'(socket, bytes) {
    socket.end(bytes);
  },
  async reset(socket, bytes, random) {
    socket.write(bytes, () => void turns(random.below(8)).then(() => socket.resetAndDestroy()));
  },
  async 'reset-at-offset'(socket, bytes, random) {
    socket.write(bytes.subarray(0, 1 + random.below(bytes.length)), () => socket.resetAndDestroy());
  },
  async 'reset-on-answer'(socket, bytes) {
    socket.once('data', () => socket.resetAndDestroy());
    // Where nothing is answered, such as to an upgrade that waits for frames.
    socket.write(bytes, () => void turns(200).then(() => socket.resetAndDestroy()));
  },
  async destroy(socket, bytes, random) {
    socket.write(bytes, () => void turns(random.below(20)).then(() => socket.destroy()));
  },
  async trickle(socket, bytes, random) {
    for (let from = 0; from < bytes.length && !socket.destroyed;) {
      const to = from + 1 + random.below(200);
      socket.write(bytes.subarray(from, to));
      from = to;
      await turns(1 + random.below(3));
    }
    socket.destroy();
  },
};

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await nextTurn();
}

function whenClosed(socket: Socket, what: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`The server left a connection open: ${what}`));
    }, PATIENCE_MS);
    socket.on('error', () => undefined);
    socket.resume();
    socket.on('close', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
