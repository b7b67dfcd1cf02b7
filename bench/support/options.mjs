/* The options that all benches share. */
import { parseArgs } from 'node:util';

/**
 * @param {{ rounds: number, seconds: number }} defaults
 * @returns {{ rounds: number, seconds: number, only: string[], smoke: boolean, plot?: string, base?: string, plant?: number }} `plot` is a file to
 *   draw to, `base` a commit to compare with, `plant` a loss in microseconds, where a bench can
 */
export function readOptions(defaults) {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: String(defaults.rounds) },
      seconds: { type: 'string', default: String(defaults.seconds) },
      only: { type: 'string', default: '' },
      smoke: { type: 'boolean', default: false },
      plot: { type: 'string' },
      base: { type: 'string' },
      plant: { type: 'string' },
    },
  });
  return {
    rounds: readPositive('--rounds', values.rounds),
    seconds: readPositive('--seconds', values.seconds),
    only: values.only.split(',').filter(Boolean),
    smoke: values.smoke,
    plot: values.plot,
    base: values.base,
    plant: values.plant === undefined ? undefined : readPositive('--plant', values.plant),
  };
}

function readPositive(option, text) {
  const value = Number(text);
  if (!(Number.isInteger(value) && value >= 1)) {
    throw new RangeError(`${option} must be a whole number from 1, received ${text}`);
  }
  return value;
}

/**
 * Picks the runs that `--only` names. Words of one dimension are alternatives, words of several narrow each other:
 * `--only=fastify,ours,bare` are two variants on one platform.
 * @template {Record<string, unknown>} Run
 * @param {readonly Run[]} runs
 * @param {readonly string[]} only
 * @param {readonly string[]} dimensions
 * @returns {Run[]}
 */
export function select(runs, only, dimensions) {
  const known = new Map(dimensions.map(name => [name, new Set(runs.map(run => String(run[name])))]));
  const unknown = only.filter(word => ![...known.values()].some(values => values.has(word)));
  if (unknown.length > 0) {
    const words = [...new Set([...known.values()].flatMap(values => [...values]))];
    throw new RangeError(`--only does not know ${unknown.join(', ')}. It takes: ${words.join(', ')}`);
  }
  return runs.filter(run =>
    dimensions.every(name => {
      const wanted = only.filter(word => known.get(name).has(word));
      return wanted.length === 0 || wanted.includes(String(run[name]));
    }),
  );
}
