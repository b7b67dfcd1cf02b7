/* Header lines as they stand in the head of a response: `Name: value`, each with its line break. */

/** The same as alternating names and values, for a response whose head is not written as text. */
export function pairsOf(lines: string): string[] {
  const pairs: string[] = [];
  for (const line of lines.split('\r\n')) {
    const colon = line.indexOf(': ');
    if (colon > 0) pairs.push(line.slice(0, colon), line.slice(colon + 2));
  }
  return pairs;
}
