/* Parses the `Forwarded` header, RFC 7239 section 4. */

export interface ForwardedElement {
  readonly for?: string;
  readonly proto?: string;
  readonly host?: string;
}

const PAIR =
  /[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)=(?:([!#$%&'*+.^_`|~0-9A-Za-z:[\]-]+)|"((?:[^"\\]|\\.)*)")[ \t]*/y;
const READ_PARAMETERS = new Set(['for', 'proto', 'host']);

/**
 * Parses the whole header. One malformed element makes the result empty, since the parts of proxies and of the client can then not be
 * distinguished.
 */
export function parseForwarded(field: string): readonly ForwardedElement[] {
  const elements: Record<string, string>[] = [];
  let element: Record<string, string> = {};
  PAIR.lastIndex = 0;
  for (;;) {
    const pair = PAIR.exec(field);
    if (pair === null) return [];
    const name = pair[1]!.toLowerCase();
    if (Object.hasOwn(element, name)) return [];
    if (READ_PARAMETERS.has(name)) element[name] = pair[2] ?? pair[3]!.replace(/\\(.)/g, '$1');
    const separator = field[PAIR.lastIndex];
    if (separator !== ';') {
      elements.push(element);
      element = {};
    }
    if (separator === undefined) return elements;
    if (separator !== ';' && separator !== ',') return [];
    PAIR.lastIndex += 1;
  }
}
