import type { Tool } from './tool.js';

/** Arithmetic by a parser of its own: an expression from outside never reaches eval. */
export const calculator: Tool = {
  name: 'calculator',
  description: 'Works out + - * / and parentheses.',
  example: '2 * (3 + 4)',
  run: input => ({ result: evaluate(input) }),
};

type Token = number | string;

export function evaluate(text: string): number {
  const tokens = readTokens(text);
  let next = 0;
  const take = (...wanted: string[]): string | undefined => {
    const token = tokens[next];
    if (typeof token !== 'string' || !wanted.includes(token)) return undefined;
    next++;
    return token;
  };
  const readFactor = (): number => {
    if (take('-')) return -readFactor();
    if (take('(')) {
      const value = readSum();
      if (!take(')')) throw new Error('a parenthesis is not closed');
      return value;
    }
    const token = tokens[next++];
    if (typeof token !== 'number') throw new Error('a number is missing');
    return token;
  };
  const readProduct = (): number => {
    let value = readFactor();
    for (let operator; (operator = take('*', '/')) !== undefined;) {
      value = operator === '*' ? value * readFactor() : value / readFactor();
    }
    return value;
  };
  const readSum = (): number => {
    let value = readProduct();
    for (let operator; (operator = take('+', '-')) !== undefined;) {
      value = operator === '+' ? value + readProduct() : value - readProduct();
    }
    return value;
  };
  const result = readSum();
  if (next < tokens.length) throw new Error(`"${tokens[next]}" is not expected here`);
  if (!Number.isFinite(result)) throw new Error('the result is not a number');
  return result;
}

function readTokens(text: string): Token[] {
  const tokens: Token[] = [];
  const token = /\s*(?:(\d+(?:\.\d+)?)|([-+*/()]))\s*/y;
  while (token.lastIndex < text.length) {
    const at = token.lastIndex;
    const match = token.exec(text);
    if (match === null) throw new Error(`"${text[at]}" is not arithmetic`);
    tokens.push(match[1] === undefined ? match[2]! : Number(match[1]));
  }
  return tokens;
}
