import { logLine } from '../common/log-text.js';

let isReported = false;

/** Wraps a call of the API, which runs samplers, processors and exporters of the app: what they throw must not reach a request. */
export const safely =
  <A extends unknown[], T>(act: (...args: A) => T): ((...args: A) => T | undefined) =>
  (...args) => {
    try {
      return act(...args);
    } catch (error) {
      if (!isReported)
        process.emitWarning(logLine`OpenTelemetry failed, and a request was not measured: ${error}`);
      isReported = true;
      return undefined;
    }
  };
