import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import {
  type SecurityEvent,
  SECURITY_EVENTS_CHANNEL,
  SecurityEvents,
} from '../../src/events/security-events.js';

const FAILING: SecurityEvent = { type: 'limit.store', timeMs: 1, state: 'failing', reason: 'gone' };
const SHADOW: SecurityEvent = {
  type: 'limit.shadow',
  timeMs: 2,
  policy: 'p',
  key: 'k',
  limit: 1,
  windowMs: 1000,
};

describe('SecurityEvents', () => {
  it('calls each listener with the events of its type', () => {
    const events = new SecurityEvents();
    const heard: SecurityEvent[] = [];
    events.on('limit.store', event => heard.push(event));
    events.emit(FAILING);
    events.emit(SHADOW);
    expect(heard).toEqual([FAILING]);
  });

  it('does not call a removed listener', () => {
    const events = new SecurityEvents();
    const heard: SecurityEvent[] = [];
    const end = events.on('limit.store', event => heard.push(event));
    end();
    events.emit(FAILING);
    expect(heard).toEqual([]);
  });

  it('has every event on a diagnostics channel', () => {
    const heard: unknown[] = [];
    const listen = (message: unknown): void => void heard.push(message);
    subscribe(SECURITY_EVENTS_CHANNEL, listen);
    new SecurityEvents().emit(SHADOW);
    unsubscribe(SECURITY_EVENTS_CHANNEL, listen);
    expect(heard).toEqual([SHADOW]);
  });

  it('calls the other listeners after one that throws', () => {
    const warnings = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const events = new SecurityEvents();
    const heard: SecurityEvent[] = [];
    events.on('limit.store', () => {
      throw new Error('mine');
    });
    events.on('limit.store', event => heard.push(event));
    events.emit(FAILING);
    expect(heard).toEqual([FAILING]);
    expect(String(warnings.mock.calls[0]![0])).toContain('mine');
  });

  it('knows whether there is a listener', () => {
    const events = new SecurityEvents();
    expect(events.isObserved).toBe(false);
    events.on('limit.store', () => undefined);
    expect(events.isObserved).toBe(true);
  });
});
