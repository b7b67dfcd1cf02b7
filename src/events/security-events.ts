import { channel } from 'node:diagnostics_channel';
import { filter, Observable, Subject } from 'rxjs';
import type { SecurityEvent, SecurityEventType } from './security-event.js';
import { logLine } from '../common/log-text.js';

/** Where `node:diagnostics_channel` has every event, for tools that know no Nest. */
export const SECURITY_EVENTS_CHANNEL = 'nestjs-agent-security';

/**
 * What the module tells the app: spent budgets, refused credentials, unusual calls. A listener that throws is reported as a warning of
 * the process and changes nothing about the request.
 * @example
 * events.on('limit.threshold', ({ agent, policy, share }) => pager.tell(agent, policy, share));
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

  /** Calls `listener` for each event of a type. @returns a function that ends it */
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

  /** Whether anybody listens: who would have to work for an event may ask first. */
  get isObserved(): boolean {
    return this.#subject.observed || this.#channel.hasSubscribers;
  }

  emit(event: SecurityEvent): void {
    this.#subject.next(event);
    if (this.#channel.hasSubscribers) this.#channel.publish(event);
  }
}
