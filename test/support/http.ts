/* Clients that show an answer as it came: every header line, in order and in its own case, so that duplicates are seen. */
import { type IncomingMessage, request as httpRequest } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';

export type HeaderLine = readonly [name: string, value: string];
export type RequestHeaders = Readonly<Record<string, string | readonly string[]>> | readonly HeaderLine[];

export interface RequestOptions {
  path: string;
  /** @default GET, or POST with a body */
  method?: string;
  /** A list of values becomes as many lines. `Host` is added unless it is given. */
  headers?: RequestHeaders;
  /** Sent with its Content-Length; a list is sent chunked. */
  body?: string | Buffer | readonly string[];
  tls?: boolean;
  /** The address that the client connects from: another one of 127.0.0.0/8 is another client. */
  localAddress?: string;
  /** Ends the exchange after the headers: for streams that do not end. */
  headersOnly?: boolean;
}

export class Answer {
  constructor(
    readonly status: number,
    readonly lines: readonly HeaderLine[],
    readonly body: string,
  ) {}

  /** All values under a name, one for each line. */
  all(name: string): string[] {
    const lower = name.toLowerCase();
    return this.lines.filter(([line]) => line.toLowerCase() === lower).map(([, value]) => value);
  }

  /** The value of a header that must not come twice. */
  header(name: string): string | undefined {
    const values = this.all(name);
    if (values.length > 1) throw new Error(`${name} came ${values.length} times: ${values.join(' | ')}`);
    return values[0];
  }

  /** Names (lower case) that came on more than one line. */
  get repeated(): string[] {
    const names = this.lines.map(([name]) => name.toLowerCase());
    return [...new Set(names.filter((name, index) => names.indexOf(name) !== index))];
  }

  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  json(): any {
    return JSON.parse(this.body);
  }
}

/** One request through node:http on a connection of its own. */
export function request(port: number, options: RequestOptions): Promise<Answer> {
  const { promise, resolve, reject } = defer<Answer>();
  const { body } = options;
  const chunked = Array.isArray(body);
  const lines: HeaderLine[] = [...toLines(options.headers)];
  const has = (name: string): boolean => lines.some(([line]) => line.toLowerCase() === name);
  if (!has('host')) lines.unshift(['Host', `127.0.0.1:${port}`]);
  if (!has('connection')) lines.push(['Connection', 'close']);
  if (body !== undefined) {
    if (chunked) lines.push(['Transfer-Encoding', 'chunked']);
    else if (!has('content-length'))
      lines.push(['Content-Length', String(Buffer.byteLength(body as string))]);
  } else if (!/^(?:GET|HEAD|OPTIONS|TRACE)$/.test(options.method ?? 'GET') && !has('content-length')) {
    // Else Node would announce a chunked body.
    lines.push(['Content-Length', '0']);
  }
  const send = options.tls ? httpsRequest : httpRequest;
  const outgoing = send({
    host: '127.0.0.1',
    port,
    path: options.path,
    method: options.method ?? (body === undefined ? 'GET' : 'POST'),
    headers: lines.flat(),
    agent: false,
    rejectUnauthorized: false,
    ...(options.localAddress === undefined ? {} : { localAddress: options.localAddress }),
  });
  let answered = false;
  outgoing.on('response', (response: IncomingMessage) => {
    answered = true;
    const answer = (text: string): Answer =>
      new Answer(response.statusCode!, pairs(response.rawHeaders), text);
    if (options.headersOnly) {
      resolve(answer(''));
      response.destroy();
      return;
    }
    const parts: Buffer[] = [];
    response.on('data', (part: Buffer) => parts.push(part));
    response.on('end', () => resolve(answer(Buffer.concat(parts).toString('utf8'))));
    response.on('error', reject);
  });
  // A server that rejects a body early may close the connection while the body is still being written.
  outgoing.on('error', error => (answered ? undefined : reject(error)));
  if (chunked) for (const part of body as readonly string[]) outgoing.write(part);
  else if (body !== undefined) outgoing.write(body as string);
  outgoing.end();
  return promise;
}

export interface RawAnswers {
  readonly answers: readonly Answer[];
  /** Everything that came, as latin1. */
  readonly text: string;
  /** Whether the server closed the connection. */
  readonly closed: boolean;
}

/**
 * Writes bytes (latin1 text) to a socket and reads until the server closes, or until so many whole answers came.
 * @param expected how many answers to wait for; none: until the server closes
 */
export function exchange(port: number, bytes: string | Buffer, expected = Infinity): Promise<RawAnswers> {
  const { promise, resolve, reject } = defer<RawAnswers>();
  const socket = connect(port, '127.0.0.1');
  let text = '';
  const finish = (closed: boolean): void => {
    clearTimeout(timer);
    socket.destroy();
    resolve({ answers: parseAnswers(text), text, closed });
  };
  // A net under the test, not a wait: it fails with what came instead of hanging until Jest gives up.
  const timer = setTimeout(() => {
    socket.destroy();
    reject(new Error(`No ${expected} whole answers within 10 s: ${JSON.stringify(text.slice(0, 2000))}`));
  }, 10_000);
  socket.on('data', chunk => {
    text += chunk.toString('latin1');
    if (expected !== Infinity && parseAnswers(text).length >= expected) finish(false);
  });
  socket.on('close', () => finish(true));
  socket.on('error', () => undefined);
  socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  return promise;
}

/** One request over HTTP/2: cleartext, or TLS with `tls`. Pseudo headers of the answer are left out of its lines. */
export function requestHttp2(
  port: number,
  options: {
    path: string;
    method?: string;
    headers?: Record<string, string>;
    body?: string;
    tls?: boolean;
    localAddress?: string;
  },
): Promise<Answer> {
  const { promise, resolve, reject } = defer<Answer>();
  const session = connectHttp2(`${options.tls ? 'https' : 'http'}://127.0.0.1:${port}`, {
    rejectUnauthorized: false,
    ...(options.localAddress === undefined ? {} : { localAddress: options.localAddress }),
  });
  session.on('error', reject);
  const stream = session.request({
    ':path': options.path,
    ':method': options.method ?? (options.body === undefined ? 'GET' : 'POST'),
    ...options.headers,
  });
  let status = 0;
  let lines: HeaderLine[] = [];
  const parts: Buffer[] = [];
  stream.on('response', (headers, _flags, ...[raw]: unknown[]) => {
    status = Number(headers[':status']);
    // The third argument has every field, repeated ones too; the object would have joined them.
    lines = pairs(raw as string[]).filter(([name]) => !name.startsWith(':'));
  });
  stream.on('data', (part: Buffer) => parts.push(part));
  stream.on('end', () => {
    session.close();
    resolve(new Answer(status, lines, Buffer.concat(parts).toString('utf8')));
  });
  stream.on('error', reject);
  stream.end(options.body);
  return promise;
}

function toLines(headers: RequestHeaders | undefined): readonly HeaderLine[] {
  if (headers === undefined) return [];
  if (Array.isArray(headers)) return headers as readonly HeaderLine[];
  return Object.entries(headers as Record<string, string | readonly string[]>).flatMap(([name, value]) =>
    [value].flat().map((one): HeaderLine => [name, one as string]),
  );
}

function pairs(raw: readonly string[]): HeaderLine[] {
  const lines: HeaderLine[] = [];
  for (let index = 0; index < raw.length; index += 2) lines.push([raw[index]!, raw[index + 1]!]);
  return lines;
}

/** The whole answers at the start of what came; 1xx answers are skipped. */
function parseAnswers(text: string): Answer[] {
  const answers: Answer[] = [];
  let rest = text;
  for (;;) {
    const head = /^HTTP\/1\.[01] (\d{3})[^\r\n]*\r\n((?:[^\r\n]+\r\n)*)\r\n/.exec(rest);
    if (head === null) return answers;
    const status = Number(head[1]);
    const lines = head[2]!
      .split('\r\n')
      .filter(line => line !== '')
      .map((line): HeaderLine => {
        const colon = line.indexOf(':');
        return [line.slice(0, colon), line.slice(colon + 1).trim()];
      });
    const body = readBody(status, new Answer(status, lines, ''), rest.slice(head[0].length));
    if (body === undefined) return answers;
    if (status >= 200) answers.push(new Answer(status, lines, body.text));
    rest = rest.slice(head[0].length + body.length);
  }
}

function readBody(
  status: number,
  head: Answer,
  rest: string,
): { readonly text: string; readonly length: number } | undefined {
  if (status < 200 || status === 204 || status === 304) return { text: '', length: 0 };
  if (head.all('transfer-encoding').length > 0) {
    let text = '';
    let offset = 0;
    for (;;) {
      const size = /^([0-9a-f]+)\r\n/i.exec(rest.slice(offset, offset + 20));
      if (size === null) return undefined;
      const length = Number.parseInt(size[1]!, 16);
      const begin = offset + size[0].length;
      if (rest.length < begin + length + 2) return undefined;
      text += rest.slice(begin, begin + length);
      offset = begin + length + 2;
      if (length === 0) return { text, length: offset };
    }
  }
  const length = Number(head.all('content-length')[0] ?? rest.length);
  return rest.length < length ? undefined : { text: rest.slice(0, length), length };
}

function defer<T>(): {
  promise: Promise<T>;
  resolve: (value: T) => void;
  reject: (reason: Error) => void;
} {
  let resolve!: (value: T) => void;
  let reject!: (reason: Error) => void;
  const promise = new Promise<T>((settle, fail) => {
    resolve = settle;
    reject = fail;
  });
  return { promise, resolve, reject };
}
