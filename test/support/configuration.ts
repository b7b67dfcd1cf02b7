/* The harness of test/configuration: one table per kind of mistake, one spec file per feature. */
import { type ResolvedOptions, resolveOptions } from '../../src/resolve-options.js';
import { AgentSecurityConfigError, type ConfigErrorCode } from '../../src/common/config-error.js';

export type Variables = Readonly<Record<string, string>>;

export const resolve = (input: unknown, variables: Variables = {}): ResolvedOptions =>
  resolveOptions(input, name => variables[name]);

/** The error that the options, or the environment, stop the start-up with. */
export function rejection(input: unknown, variables?: Variables): AgentSecurityConfigError {
  try {
    resolve(input, variables);
  } catch (error) {
    if (error instanceof AgentSecurityConfigError) return error;
    throw error;
  }
  throw new Error('The configuration was accepted.');
}

/** For rows in which requests need to be identified somehow. */
export const identify = (): undefined => undefined;

export type Row = [title: string, input: unknown, code: ConfigErrorCode, option: string, says: string];

export interface Mistakes {
  readonly rows?: Row[];
  readonly variables?: [
    title: string,
    variables: Variables,
    code: ConfigErrorCode,
    option: string,
    says: string,
  ][];
  /** Every place that takes a number. */
  readonly numbers?: [option: string, input: (value: unknown) => unknown][];
  /** An unknown key, and the name that is offered for it. */
  readonly unknownKeys?: [option: string, input: unknown, offered: string][];
}

export function checkConfiguration({
  rows = [],
  variables = [],
  numbers = [],
  unknownKeys = [],
}: Mistakes): void {
  describe('a bad configuration stops the start-up', () => {
    for (const [title, input, code, option, says] of rows) {
      it(title, () => {
        const error = rejection(input);
        expect([error.code, error.option]).toEqual([code, option]);
        expect(error.message).toContain(says);
        expect(error.message.endsWith(`[${code}]`)).toBe(true);
      });
    }

    for (const [title, environment, code, option, says] of variables) {
      it(title, () => {
        const error = rejection({}, environment);
        expect([error.code, error.option]).toEqual([code, option]);
        expect(error.message).toContain(says);
      });
    }

    for (const [option, input] of numbers) {
      describe(`${option}`, () => {
        it.each([NaN, -1, 1.5, Infinity, -Infinity])('rejects %p', value => {
          const error = rejection(input(value));
          expect([error.code, error.option]).toEqual(['ASEC_OPTION_RANGE', option]);
          expect(error.message).toContain(String(value));
        });

        it.each(['2', '', true, [1], 2n])('rejects %p', value => {
          const error = rejection(input(value));
          expect(error.option).toBe(option);
          expect(['ASEC_OPTION_TYPE', 'ASEC_TRUST_INVALID', 'ASEC_TRUST_ALL']).toContain(error.code);
        });

        it('accepts 1', () => expect(() => resolve(input(1))).not.toThrow());
      });
    }

    for (const [option, input, offered] of unknownKeys) {
      it(`the unknown key ${option}`, () => {
        const error = rejection(input);
        expect([error.code, error.option]).toEqual(['ASEC_OPTION_UNKNOWN', option]);
        expect(error.message).toContain(offered === '' ? 'Known here: ' : `Did you mean "${offered}"?`);
      });
    }
  });
}
