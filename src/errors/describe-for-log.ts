/* An exception as a log shows it. Its message may hold what a client sent: line breaks would forge lines, escape sequences would
 * reach a terminal. */
import { inspect } from 'node:util';

export function describeForLog(exception: unknown): {
  readonly message: string;
  readonly stack: string | undefined;
} {
  // Not String(): an object without a prototype has no text of its own.
  if (!(exception instanceof Error)) return { message: visible(inspect(exception)), stack: undefined };
  const message = visible(exception.message);
  const frames = (exception.stack ?? '').split('\n').filter(line => /^\s+at /.test(line));
  return { message, stack: [`${visible(exception.name)}: ${message}`, ...frames.map(visible)].join('\n') };
}

function visible(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, char => {
    return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}
