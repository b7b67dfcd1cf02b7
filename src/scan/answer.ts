/* What a server answered to one request of a scan, and how rules read it. */
import { escapeText } from '../common/log-text.js';

/** Why an answer is missing or not whole. */
export type AnswerFault =
  'no connection' | 'no TLS' | 'no answer in time' | 'not HTTP' | 'too large' | 'closed' | 'not sent';

export interface Answer {
  /** 0 without an answer. */
  readonly status: number;
  /** Each line, its name in lower case. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** As latin1, cut at a bound. */
  readonly body: string;
  readonly fault?: AnswerFault;
}

export const noAnswer = (fault: AnswerFault): Answer => ({ status: 0, headers: [], body: '', fault });

/** The values of a header, one for each line. */
export const valuesOf = ({ headers }: Answer, name: string): readonly string[] =>
  headers.filter(([line]) => line === name).map(([, value]) => value);

/** The value of a header, its lines joined as lists are; empty without it. */
export const valueOf = (answer: Answer, name: string): string => valuesOf(answer, name).join(', ');

/** Text of a server for a message of any format: short, and without control characters. */
export const clip = (text: string): string =>
  escapeText(JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text));
