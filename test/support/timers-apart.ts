/* The timers of an app ahead of the time that passes: a deadline ends without a wait for it. */
import type { RunningApp } from './start.js';

/** Until the test ends. Nothing but `setTimeout()` is replaced, and real time moves it as well. */
export function setTimersApart(): void {
  jest.useFakeTimers({
    advanceTimers: true,
    doNotFake: ['Date', 'hrtime', 'nextTick', 'performance', 'queueMicrotask', 'setImmediate', 'setInterval'],
  });
}
afterEach(() => void jest.useRealTimers());

/** Closes an app that waits for something that does not come, such as room on the disk. */
export async function closeWithoutWait({ close }: Pick<RunningApp, 'close'>): Promise<void> {
  setTimersApart();
  const state = { isClosed: false };
  const closing = close().finally(() => (state.isClosed = true));
  while (!state.isClosed) {
    await new Promise(setImmediate);
    await jest.advanceTimersByTimeAsync(100);
  }
  await closing;
}
