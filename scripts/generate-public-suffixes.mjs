/*
 * Writes src/common/public-suffix-list.ts from the list that the development dependency `tldts` holds, so that the package needs neither
 * `tldts` nor its 4 MB. A new version of `tldts` may bring a new list: test/common/public-suffix.spec.ts then asks for this command.
 *   npm run suffixes                                             writes the file
 *   node scripts/generate-public-suffixes.mjs --out FILE         writes it elsewhere
 */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
// Not exported by its name. `tldts` looks names up and does not list them.
import * as trie from '../node_modules/tldts/dist/es6/src/data/trie.js';

const { values } = parseArgs({
  options: {
    out: {
      type: 'string',
      default: fileURLToPath(new URL('../src/common/public-suffix-list.ts', import.meta.url)),
    },
  },
});

/** The labels below each name that are suffixes: `uk` has `co`. An exception has a `!`, as in the list itself. */
const labels = new Map();
const starts = [];
let end = 0;
for (const length of trie.edgeLength) {
  starts.push(end);
  end += length;
}
function collect(node, parent, mark) {
  for (let edge = trie.edgeStart[node]; edge < trie.edgeStart[node + 1]; edge++) {
    const label = trie.labelText.slice(starts[edge], starts[edge] + trie.edgeLength[edge]);
    // Hosts and origins are ASCII: of an internationalized suffix, the list has the xn-- form too.
    if (/[^\w*-]/.test(label)) continue;
    const child = trie.edgeChild[edge];
    if (trie.nodeFlags[child] !== 0) labels.set(parent, [...(labels.get(parent) ?? []), mark + label]);
    collect(child, parent === '' ? label : `${label}.${parent}`, mark);
  }
}
collect(trie.rulesRoot, '', '');
collect(trie.exceptionsRoot, '', '!');

/** By the initial letter of the top-level domain, since one line for all would show no difference. */
const lines = new Map();
for (const [parent, below] of [...labels].toSorted()) {
  const initial = parent.split('.').at(-1).charAt(0);
  lines.set(initial, [...(lines.get(initial) ?? []), [parent, ...below.toSorted()].join(' ')]);
}
const source = `/* Written by \`npm run suffixes\`. The Public Suffix List has the Mozilla Public License 2.0 (https://mozilla.org/MPL/2.0/). */

/** Each domain with the labels below it that are public suffixes, by the list with its private part. */
export const PUBLIC_SUFFIXES: readonly string[] = [
  '# Public Suffix List, https://publicsuffix.org, MPL-2.0',
${[...lines]
  .toSorted()
  .map(([, line]) => `  '${line.join('|')}',\n`)
  .join('')}]
  .join('|')
  .split('|');
`;
writeFileSync(values.out, source);
