/* Sends the requests of a scan: one at a time, each with a bound on its time and its answer, all of them with a bound on their number. */
import { connect, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { type Answer, type AnswerFault, noAnswer } from './answer.js';
import { AnswerReader } from './read-answer.js';
import { readRetryAfter } from './read-limit.js';
import type { Target } from './target.js';

export interface ScanBounds {
  readonly requestMs: number;
  readonly totalMs: number;
  readonly maxRequests: number;
  /** Of one answer. */
  readonly maxBytes: number;
  /** Between two requests, so that a limit for each second is not reached by accident. */
  readonly paceMs: number;
  /** Of all waits that a Retry-After asks for. */
  readonly maxWaitMs: number;
}

export const SCAN_BOUNDS: ScanBounds = {
  requestMs: 5_000,
  totalMs: 180_000,
  maxRequests: 300,
  maxBytes: 262_144,
  paceMs: 50,
  maxWaitMs: 125_000,
};

export interface ScanClock {
  now(): number;
  wait(ms: number): Promise<void>;
}

export interface ScanRequest {
  readonly method?: string;
  /** The request target, as it is sent. */
  readonly target: string;
  /** The values of the Host lines. */
  readonly hosts?: readonly string[];
  readonly headers?: readonly (readonly [name: string, value: string])[];
  readonly body?: string;
}

const USER_AGENT = 'nestjs-agent-security-scan';
/** A server that lets so many requests wait in a row is not asked again. */
const MAX_SILENT = 3;
const SILENT: ReadonlySet<AnswerFault | undefined> = new Set([
  'no answer in time',
  'no connection',
  'no TLS',
]);

export class Client {
  /** Whether the certificate of each connection is valid for the name. */
  isVerified = true;
  sent = 0;
  #silent = 0;
  #waitedMs = 0;
  #end: number;

  constructor(
    readonly target: Target,
    readonly bounds: ScanBounds,
    readonly clock: ScanClock,
    readonly ca?: string,
  ) {
    this.#end = clock.now() + bounds.totalMs;
  }

  /** Whether requests are no longer sent. */
  get isOver(): boolean {
    return this.#silent >= MAX_SILENT || this.sent >= this.bounds.maxRequests || this.clock.now() > this.#end;
  }

  async send(request: ScanRequest): Promise<Answer> {
    if (this.isOver) return noAnswer('not sent');
    this.sent++;
    const answer = await this.#exchange(request);
    const isSilent = SILENT.has(answer.fault);
    this.#silent = isSilent ? this.#silent + 1 : 0;
    return answer;
  }

  /** Waits before the request, and once more where a limit asks for it. */
  async sendPaced(request: ScanRequest): Promise<Answer> {
    await this.clock.wait(this.isOver ? 0 : this.bounds.paceMs);
    const answer = await this.send(request);
    const ms = answer.status === 429 ? readRetryAfter(answer, this.clock.now()) : undefined;
    return ms !== undefined && ms > 0 && (await this.waitFor(ms)) ? this.send(request) : answer;
  }

  /** @returns `false` without a wait, where the waits would become too long */
  async waitFor(askedMs: number): Promise<boolean> {
    // A timer may fire early.
    const ms = askedMs + this.bounds.paceMs;
    if (this.#waitedMs + ms > this.bounds.maxWaitMs) return false;
    this.#waitedMs += ms;
    this.#end += ms;
    await this.clock.wait(ms);
    return true;
  }

  #exchange(request: ScanRequest): Promise<Answer> {
    return new Promise(resolve => {
      const reader = new AnswerReader(this.bounds.maxBytes, request.method !== 'HEAD');
      const socket = this.#connect();
      let fault: AnswerFault = 'no connection';
      const finish = (answer: Answer): void => {
        clearTimeout(timer);
        socket.destroy();
        resolve(answer);
      };
      const timer = setTimeout(() => finish(reader.end('no answer in time')), this.bounds.requestMs);
      socket.on('connect', () => {
        fault = this.target.isTls ? 'no TLS' : 'closed';
      });
      socket.on(this.target.isTls ? 'secureConnect' : 'connect', () => {
        fault = 'closed';
        if (this.target.isTls) this.isVerified &&= (socket as TLSSocket).authorized;
        socket.write(Buffer.from(this.#write(request), 'latin1'));
      });
      socket.on('data', (part: Buffer) => {
        if (reader.add(part)) finish(reader.end('closed'));
      });
      // A server that rejects a body may reset the connection behind its answer: 'close' follows.
      socket.on('error', () => undefined);
      socket.on('close', () => finish(reader.end(fault)));
    });
  }

  #connect(): Socket {
    const { address: host, port, hostname, isTls } = this.target;
    if (!isTls) return connect({ host, port });
    return connectTls({
      host,
      port,
      // The certificate is judged by the rules, and read even if it is not valid.
      rejectUnauthorized: false,
      ...(this.ca === undefined ? {} : { ca: this.ca }),
      ...(hostname === host ? {} : { servername: hostname }),
    });
  }

  #write({
    method = 'GET',
    target,
    hosts = [this.target.authority],
    headers = [],
    body,
  }: ScanRequest): string {
    const has = (name: string): boolean => headers.some(([line]) => line.toLowerCase() === name);
    const isMeasured = body === undefined || has('content-length') || has('transfer-encoding');
    const lines = [
      ...hosts.map(host => ['Host', host] as const),
      ['User-Agent', USER_AGENT] as const,
      ...(has('connection') ? [] : [['Connection', 'close'] as const]),
      ...headers,
      ...(isMeasured ? [] : [['Content-Length', String(Buffer.byteLength(body, 'latin1'))] as const]),
    ];
    const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
    return `${method} ${target} HTTP/1.1\r\n${head}\r\n${body ?? ''}`;
  }
}
