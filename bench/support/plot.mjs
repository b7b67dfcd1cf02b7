/* Two panels of bars side by side, one row an algorithm, as SVG text. */
const ROW = 30;
const LABEL = 250;
const PANEL = 300;
const GAP = 40;
const TOP = 56;

const escape = text => text.replace(/&/g, '&amp;').replace(/</g, '&lt;');

/**
 * @param title of the whole
 * @param panels `{ title, max, marks: [{ at, label }] }`, left and right
 * @param rows `{ label, own, values: [left, right] }`
 */
export function plotBars(title, panels, rows) {
  const height = TOP + rows.length * ROW + 34;
  const width = LABEL + 2 * PANEL + GAP + 60;
  const left = panel => LABEL + panel * (PANEL + GAP);
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="sans-serif" font-size="12" role="img" aria-label="${escape(title)}">`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    `<text x="12" y="20" font-size="14" font-weight="bold" fill="#1c2024">${escape(title)}</text>`,
  ];
  for (const [index, panel] of panels.entries()) {
    const scale = PANEL / panel.max;
    parts.push(`<text x="${left(index)}" y="42" fill="#60646c">${escape(panel.title)}</text>`);
    for (const { at, label } of panel.marks) {
      const x = left(index) + at * scale;
      parts.push(
        `<line x1="${x}" x2="${x}" y1="${TOP - 6}" y2="${TOP + rows.length * ROW}" stroke="#b9bbc6" stroke-dasharray="3 3"/>`,
        `<text x="${x}" y="${TOP + rows.length * ROW + 16}" text-anchor="middle" fill="#60646c">${escape(label)}</text>`,
      );
    }
  }
  for (const [row, { label, own, values }] of rows.entries()) {
    const y = TOP + row * ROW;
    parts.push(
      `<text x="${LABEL - 10}" y="${y + 16}" text-anchor="end" fill="#1c2024"${own ? ' font-weight="bold"' : ''}>${escape(label)}</text>`,
    );
    for (const [index, value] of values.entries()) {
      const length = (Math.min(value, panels[index].max) * PANEL) / panels[index].max;
      parts.push(
        `<rect x="${left(index)}" y="${y + 4}" width="${length.toFixed(1)}" height="16" fill="${own ? '#0d74ce' : '#8b8d98'}"/>`,
        `<text x="${(left(index) + length + 6).toFixed(1)}" y="${y + 16}" fill="#1c2024">${value.toFixed(2)}</text>`,
      );
    }
  }
  return `${parts.join('\n')}\n</svg>\n`;
}
