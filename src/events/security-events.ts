import { channel } from 'node:diagnostics_channel';
import { filter, Observable, Subject } from 'rxjs';
import type { SecurityEvent, SecurityEventType } from './security-event.js';
import { logLine } from '../common/log-text.js';

/**
 * The name of the `node:diagnostics_channel` that publishes every event, for tools outside Nest.
 * @example
 * subscribe(SECURITY_EVENTS_CHANNEL, event => tracer.record(event));
 */
export const SECURITY_EVENTS_CHANNEL = 'nestjs-agent-security';

/**
 * Emits security events: exceeded limits, rejected credentials, unusual tool calls. An error of a listener becomes a
 * process warning and does not affect the request.
 * @example
 * events.on('limit.threshold', ({ agent, policy, share }) => alert(agent, policy, share));
 */
export class SecurityEvents {
  readonly #subject = new Subject<SecurityEvent>();
  readonly #channel = channel(SECURITY_EVENTS_CHANNEL);

  /** Every event. */
  readonly all: Observable<SecurityEvent> = this.#subject.asObservable();

  /** The events of one type. */
  of<T extends SecurityEventType>(type: T): Observable<SecurityEvent<T>> {
    return this.all.pipe(filter(event => event.type === type)) as unknown as Observable<SecurityEvent<T>>;
  }

  /** Calls `listener` for each event of a type. @returns a function that removes the listener */
  on<T extends SecurityEventType>(type: T, listener: (event: SecurityEvent<T>) => void): () => void {
    const subscription = this.of(type).subscribe(event => {
      try {
        listener(event);
      } catch (error) {
        process.emitWarning(logLine`A listener of the security event "${type}" failed: ${error}`);
      }
    });
    return () => subscription.unsubscribe();
  }

  /** Whether there is a listener. Check it before you compute an expensive event. */
  get isObserved(): boolean {
    return this.#subject.observed || this.#channel.hasSubscribers;
  }

  emit(event: SecurityEvent): void {
    this.#subject.next(event);
    if (this.#channel.hasSubscribers) this.#channel.publish(event);
  }
}
