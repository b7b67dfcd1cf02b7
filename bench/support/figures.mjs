/* Medians, spreads and Markdown tables. */

export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Half of what lies between the smallest and the largest value, in percent of the median. */
export function spread(values) {
  return ((Math.max(...values) - Math.min(...values)) / 2 / median(values)) * 100;
}

/** How one run compares with another, round by round: what slows the machine for a round slows both. */
export function pairedRatio(results, others, read) {
  const ratios = results.map((result, round) => read(result) / read(others[round]));
  const sorted = ratios.toSorted((a, b) => a - b);
  return { median: median(ratios), least: sorted[0], most: sorted.at(-1) };
}

export const whole = value => (Number.isFinite(value) ? Math.round(value).toLocaleString('en-GB') : '–');

export const fixed = (value, digits) => (Number.isFinite(value) ? value.toFixed(digits) : '–');

export const percent = value => (Number.isFinite(value) ? `± ${value.toFixed(0)} %` : '–');

export const ratio = (value, base) => (base === undefined ? '–' : fixed(value / base, 2));

/** A Markdown table. */
export function tableLines(columns, rows) {
  const rule = columns.map((_, index) => (index === 0 ? '---' : '---:')).join('|');
  return [`| ${columns.join(' | ')} |`, `|${rule}|`, ...rows.map(row => `| ${row.join(' | ')} |`)];
}

/** Prints a Markdown table. */
export function printTable(title, columns, rows) {
  console.log(`\n### ${title}\n\n${tableLines(columns, rows).join('\n')}`);
}
