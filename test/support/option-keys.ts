/* Every option, found through the code's own lists of keys: an unknown key is answered with the keys that are known beside it. */
import { AgentSecurityConfigError } from '../../src/common/config-error.js';

/** Something that takes an object of options. */
export interface OptionsRoot {
  /** What its options are called in errors: `''` for those of the module. */
  readonly name: string;
  read(options: unknown): unknown;
  /** What must stand beside the keys of an object, by its path, so that the object is read. */
  readonly needed: Readonly<Record<string, object>>;
}

export interface OptionKey {
  /** As errors name it: `auth.tokens.issuer`. */
  readonly path: string;
  /** The options in which it has this value, and around it all that is needed. */
  with(value: unknown): unknown;
  /** The same under another name. */
  misspelt(name: string, value: unknown): unknown;
}

const PROBE = 'qqqqqqqqqqqqqqqq';
const KNOWN = /Known here: (.*)\. \[ASEC_OPTION_UNKNOWN\]$/;

/** What a call throws, if it throws a configuration error. */
export function errorOf(run: () => unknown): AgentSecurityConfigError | undefined {
  const thrown = thrownBy(run);
  return thrown instanceof AgentSecurityConfigError ? thrown : undefined;
}

export function thrownBy(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
}

export function findOptionKeys({ name, read, needed }: OptionsRoot): readonly OptionKey[] {
  const nameOf = (path: readonly string[]): string => [...(name === '' ? [] : [name]), ...path].join('.');
  /** Options with `own` at `path`. */
  const wrap = (path: readonly string[], own: object): object =>
    path.reduceRight<object>((inner, key, at) => ({ ...needed[path.slice(0, at).join('.')], [key]: inner }), {
      ...needed[path.join('.')],
      ...own,
    });
  const found: OptionKey[] = [];
  const visit = (path: readonly string[]): void => {
    const error = errorOf(() => read(wrap(path, { [PROBE]: 1 })));
    if (error?.code !== 'ASEC_OPTION_UNKNOWN' || error.option !== nameOf([...path, PROBE])) return;
    for (const key of KNOWN.exec(error.message)![1]!.split(', ')) {
      found.push({
        path: nameOf([...path, key]),
        with: value => wrap(path, { [key]: value }),
        misspelt: (other, value) => wrap(path, { [other]: value }),
      });
      visit([...path, key]);
    }
  };
  visit([]);
  return found;
}
