/* docs/reference/checks.md and scans.md: every check, from the rows of src/check and from the risks that features find, and every rule of
 * src/scan. */
import ts from 'typescript';
import { prose } from './markdown.mjs';

export function checksPage(source) {
  const risks = risksOf(source);
  const rows = rowsOf(source, 'check', 'C').map(row => ({ ...risks.get(row.id), ...row }));
  const ids = new Set(rows.map(({ id }) => id));
  const unknown = [...risks.keys()].filter(id => !ids.has(id));
  if (unknown.length > 0)
    throw new Error(`Add to src/check/checks/summary-checks.ts: ${unknown.toSorted().join(', ')}`);
  return page(rows, 'src/check');
}

export const scansPage = source => page(rowsOf(source, 'scan', 'S'), 'src/scan');

function page(unordered, folder) {
  const rows = unordered.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const ids = new Set(rows.map(({ id }) => id));
  if (ids.size < rows.length) throw new Error(`Two rows of ${folder} have the same ID.`);
  const blank = rows.filter(({ why, remedy, about }) => !why || !remedy || !about).map(({ id }) => id);
  if (blank.length > 0)
    throw new Error(
      `Give these checks a reason, a remedy and a comment with @see docs/…: ${blank.join(', ')}`,
    );
  return {
    table: [
      '| ID | severity | finds |',
      '| --- | --- | --- |',
      ...rows.map(
        ({ id, severity, title, deploy }) =>
          `| [\`${id}\`](#${id.toLowerCase()}) | ${severity} | ${title}${deploy ? ' (with `--deploy`)' : ''} |`,
      ),
    ].join('\n'),
    checks: rows.map(section).join('\n\n'),
  };
}

const section = ({ id, severity, title, about, section: part, deploy, why, remedy }) =>
  [
    `### \`${id}\``,
    title,
    [
      `- **Severity:** ${severity}`,
      ...(part ? [`- **Section:** \`${part}\``] : []),
      ...(deploy ? ['- **Runs:** with `--deploy`'] : []),
      `- **Why:** ${why}.`,
      `- **Fix:** ${remedy}`,
      `- **See:** ${prose(`docs/${about}`)}`,
    ].join('\n'),
  ].join('\n\n');

/** The object literals with an ID: the rows of the table in a folder. */
function rowsOf(source, folder, letter) {
  const rows = [];
  const visit = node => {
    if (ts.isObjectLiteralExpression(node)) {
      const row = Object.fromEntries(
        node.properties
          .filter(property => ts.isPropertyAssignment(property))
          .map(({ name, initializer }) => [
            name.getText(),
            ts.isStringLiteralLike(initializer) ? initializer.text : true,
          ]),
      );
      if (new RegExp(`^ASEC-${letter}\\d+$`).test(row.id))
        rows.push({ ...row, about: /@see docs\/(\S+)/.exec(node.properties[0].getFullText())?.[1] });
    }
    node.forEachChild(visit);
  };
  for (const [file, node] of source.files) if (file.startsWith(`${folder}/`)) visit(node);
  return rows;
}

/** The calls `risk(id, option, fault, why, remedy)` of features. */
function risksOf(source) {
  const risks = new Map();
  const visit = node => {
    if (ts.isCallExpression(node) && node.expression.getText() === 'risk') {
      const [id, , , why, remedy] = node.arguments.map(each => each.text);
      risks.set(id, { why, remedy });
    }
    node.forEachChild(visit);
  };
  source.files.forEach(visit);
  return risks;
}
