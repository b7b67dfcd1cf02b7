/* The end of a response, however its bytes are split. */
import { AnswerReader } from '../../src/scan/read-answer.js';

const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';

/** @returns after how many bytes the response was taken for whole, and its body */
function read(text: string, partBytes: number): readonly [number, string] {
  const reader = new AnswerReader(65_536);
  for (let at = 0; at < text.length; at += partBytes) {
    const end = Math.min(at + partBytes, text.length);
    if (reader.add(Buffer.from(text.slice(at, end), 'latin1'))) return [end, reader.end('closed').body];
  }
  return [Infinity, reader.end('closed').body];
}

describe.each([1, 7, 65_536])('in parts of %i', partBytes => {
  test.each([
    ['chunks', '3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n', 'abcde'],
    ['a chunk that begins like an end', '10\r\n\r\n3456789abcdef0\r\n0\r\n\r\n', '\r\n3456789abcdef0'],
    ['a chunk that ends like an end', '5\r\n0\r\n\r\n\r\n1\r\nx\r\n0\r\n\r\n', '0\r\n\r\nx'],
    ['a trailer', '1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n', 'a'],
    ['an extension of a chunk', '1;a=b\r\nx\r\n0;last\r\n\r\n', 'x'],
    ['nothing', '0\r\n\r\n', ''],
  ])('%s', (_title, chunks, body) => {
    expect(read(CHUNKED + chunks, partBytes)).toEqual([CHUNKED.length + chunks.length, body]);
  });

  test.each([
    ['a size that is none', 'xyz\r\n', ''],
    ['a size without end', '1'.repeat(1_100), ''],
    ['a size with a sign', '-1\r\na', ''],
  ])('%s ends the response at once', (_title, chunks, body) => {
    const [bytes, text] = read(`${CHUNKED}1\r\na\r\n${chunks}`, partBytes);
    expect([bytes < Infinity, text]).toEqual([true, `a${body}`]);
  });
});
