/* The files that make a container of the sample, as data: Dockerfile, Dockerfile.dockerignore, compose.yaml and nginx.conf. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parse } from 'yaml';

export const ROOT = resolve(__dirname, '../..');
export const SAMPLE = join(ROOT, 'sample/agent-api');
const read = (name: string): string => readFileSync(join(SAMPLE, name), 'utf8');

export interface Instruction {
  readonly name: string;
  /** What follows the name; a line that goes on is joined. */
  readonly text: string;
}

export interface Stage {
  /** `AS name`; the last stage needs none. */
  readonly name: string | undefined;
  readonly from: string;
  readonly instructions: readonly Instruction[];
}

export interface Copy {
  readonly from: string | undefined;
  readonly sources: readonly string[];
  readonly target: string;
}

export function readStages(text = read('Dockerfile')): Stage[] {
  const joined = text.replaceAll(/^#.*\n/gm, '').replaceAll(/\\\n\s*/g, '');
  const stages: { name: string | undefined; from: string; instructions: Instruction[] }[] = [];
  for (const [, name, rest] of joined.matchAll(/^([A-Z]+) (.*)$/gm)) {
    const [from, , as] = rest!.split(' ');
    if (name === 'FROM') stages.push({ name: as, from: from!, instructions: [] });
    else stages.at(-1)!.instructions.push({ name: name!, text: rest! });
  }
  return stages;
}

export const copiesOf = ({ instructions }: Stage): Copy[] =>
  instructions
    .filter(({ name }) => name === 'COPY')
    .map(({ text }) => {
      const words = text.split(' ').filter(word => !word.startsWith('--'));
      const from = /--from=(\S+)/.exec(text)?.[1];
      return { from, sources: words.slice(0, -1), target: words.at(-1)! };
    });

/** The arguments of CMD or of the command of HEALTHCHECK, which are JSON. */
export const commandOf = ({ instructions }: Stage, name: 'CMD' | 'HEALTHCHECK'): string[] =>
  JSON.parse(/\[.*\]$/.exec(instructions.find(each => each.name === name)!.text)![0]) as string[];

export const environmentOf = ({ instructions }: Stage): Record<string, string> =>
  Object.fromEntries(
    instructions
      .filter(({ name }) => name === 'ENV')
      .flatMap(({ text }) => text.split(' ').map(pair => pair.split('=') as [string, string])),
  );

/** What Dockerfile.dockerignore lets into the context; all else is excluded. */
export const contextPaths = (text = read('Dockerfile.dockerignore')): string[] => {
  const [first, ...rest] = text.split('\n').filter(line => line !== '' && !line.startsWith('#'));
  if (first !== '*' || rest.some(line => !line.startsWith('!')))
    throw new Error('It is a list of exceptions');
  return rest.map(line => line.slice(1));
};

/* eslint-disable-next-line @typescript-eslint/no-explicit-any */
export const readCompose = (): any => parse(read('compose.yaml'), { merge: true });
export const NGINX = read('nginx.conf');
