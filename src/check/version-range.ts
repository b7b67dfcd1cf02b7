/* Whether a version is in a range of package.json: `^20.19 || >=24`. The few forms that this package and its peers use. */

type Version = readonly [major: number, minor: number, patch: number];

export function satisfies(version: string, range: string): boolean {
  const given = readVersion(version);
  return range.split('||').some(part =>
    part
      .trim()
      .split(/\s+/)
      .every(one => satisfiesOne(given, one)),
  );
}

function satisfiesOne(given: Version, comparator: string): boolean {
  const [, operator = '', text = ''] = /^(\^|~|>=|<=|>|<|=)?v?(.*)$/.exec(comparator)!;
  if (/^[*xX]?$/.test(text)) return true;
  const wanted = readVersion(text);
  const order = compare(given, wanted);
  if (operator === '>=') return order >= 0;
  if (operator === '<=') return order <= 0;
  if (operator === '>') return order > 0;
  if (operator === '<') return order < 0;
  const parts = text.split('.').length;
  // `^0.1` allows changes of the patch alone; a bare `12` means every 12.x.
  const fixed = operator === '^' ? (wanted[0] > 0 ? 1 : 2) : operator === '~' ? Math.min(parts, 2) : parts;
  return order >= 0 && given.slice(0, fixed).every((number, at) => number === wanted[at]);
}

/** Without the label of a pre-release, which counts as its version. */
function readVersion(text: string): Version {
  const [release = ''] = text.replace(/^v/, '').split(/[-+]/);
  const [major = 0, minor = 0, patch = 0] = release.split('.').map(part => Number.parseInt(part, 10) || 0);
  return [major, minor, patch];
}

function compare(a: Version, b: Version): number {
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2];
}
