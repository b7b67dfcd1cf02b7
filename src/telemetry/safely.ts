import { logLine } from '../common/log-text.js';

let isReported = false;

/** Wraps a call of the API, which runs samplers, processors and exporters of the app: what they throw must not reach a request. */
export const safely =
  <A extends unknown[], T>(act: (...args: A) => T): ((...args: A) => T | undefined) =>
  (...args) => {
    try {
      return act(...args);
    } catch (error) {
      report(error);
      return undefined;
    }
  };

/** Runs `act` within what `enter` enters, and without it where that fails. What `act` throws is thrown. */
export function runWithin<T>(enter: (act: () => T) => T, act: () => T): T {
  let hasRun = false;
  try {
    return enter(() => {
      hasRun = true;
      return act();
    });
  } catch (error) {
    if (hasRun) throw error;
    report(error);
    return act();
  }
}

/** Once: a fault of the app repeats with each request. */
function report(error: unknown): void {
  if (!isReported)
    process.emitWarning(logLine`OpenTelemetry failed, and a request was not measured: ${error}`);
  isReported = true;
}
