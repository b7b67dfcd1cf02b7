/* The headers that a handler passes to `writeHead`, in each form that Node accepts. */
import type { OutgoingHttpHeader, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { CONTENT_TYPE, withoutCharset } from './header-rules.js';

export type OwnHeaders =
  OutgoingHttpHeaders | readonly OutgoingHttpHeader[] | readonly [string, OutgoingHttpHeader][];

export function setOwnHeaders(response: ServerResponse, own: OwnHeaders | undefined): void {
  const repeated = new Map<string, OutgoingHttpHeader>();
  eachHeader(own, (name, value) => {
    const lower = name.toLowerCase();
    const earlier = repeated.get(lower);
    const whole = earlier === undefined ? value : [earlier, value].flat().map(String);
    repeated.set(lower, whole);
    response.setHeader(name, whole as string);
  });
}

export function withExactType(own: OutgoingHttpHeaders | undefined): OutgoingHttpHeaders | undefined {
  for (const name in own) {
    if (name.length !== CONTENT_TYPE.length || name.toLowerCase() !== CONTENT_TYPE) continue;
    const value = own[name]!;
    const exact = withoutCharset(value);
    return exact === value ? own : { ...own, [name]: exact };
  }
  return own;
}

/** Visits an object, a flat list of names and values, or a list of pairs. */
function eachHeader(
  own: OwnHeaders | undefined,
  visit: (name: string, value: OutgoingHttpHeader) => void,
): void {
  if (own === undefined || own === null) return;
  if (!Array.isArray(own)) {
    for (const name in own) {
      const value = (own as OutgoingHttpHeaders)[name];
      if (value !== undefined) visit(name, value);
    }
  } else if (Array.isArray(own[0])) {
    for (const [name, value] of own as [string, OutgoingHttpHeader][]) visit(name, value);
  } else {
    for (let index = 0; index < own.length; index += 2) {
      visit(String(own[index]), own[index + 1] as OutgoingHttpHeader);
    }
  }
}
