/* Bodies of a JSON type that no parser reads: the answer must not depend on how much of the body has arrived. */
import { All, Body, Controller } from '@nestjs/common';
import { exchange } from '../support/http.js';
import { PLATFORMS } from '../support/platforms.js';
import { start } from '../support/start.js';

@Controller()
class BodyController {
  @All('any')
  any(@Body() body: unknown): object {
    return { body: body === undefined ? 'none' : body };
  }

  @All('none')
  none(): object {
    return { body: 'not wanted' };
  }
}

/** A raw client that sends this much of its body, and then waits. */
const ARRIVED: readonly [what: string, framing: string][] = [
  ['nothing of a declared length', 'Content-Length: 7\r\n\r\n'],
  ['the first byte', 'Content-Length: 7\r\n\r\n{'],
  ['the whole body', 'Content-Length: 7\r\n\r\n{"a":1}'],
  ['nothing of a chunked body', 'Transfer-Encoding: chunked\r\n\r\n'],
  ['the first chunk', 'Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n'],
];

const EXPECTED: readonly [method: string, status: number][] = [
  ['POST', 415],
  ['PUT', 415],
  ['PATCH', 415],
  ['DELETE', 415],
  ['OPTIONS', 415],
  // Their bodies have no meaning (RFC 9110 section 9.3.1).
  ['GET', 200],
  ['HEAD', 200],
];

describe.each(PLATFORMS)('on %s', (_title, platform) => {
  // The guard of the limits waits, so that bytes may arrive before the body is checked.
  describe.each([
    ['with limits', { rateLimit: { limits: '1000/second' } }],
    ['without limits', { rateLimit: false }],
  ] as const)('%s', (_with, options) => {
    const answers = async (path: string, methods: readonly string[]): Promise<string[]> => {
      const app = await start(platform, { controllers: [BodyController], options });
      const lines: string[] = [];
      for (const method of methods)
        for (const [what, framing] of ARRIVED) {
          const head = `${method} ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n`;
          const type = 'Content-Type: application/vnd.api+json\r\n';
          const { text } = await exchange(app.port, head + type + framing);
          lines.push(`${method}, ${what}: ${text.slice(9, 12)}`);
        }
      return lines;
    };
    const expected = (rows: readonly [method: string, status: number][]): string[] =>
      rows.flatMap(([method, status]) => ARRIVED.map(([what]) => `${method}, ${what}: ${status}`));

    it('answers each method alike, whatever has arrived', async () => {
      const methods = EXPECTED.map(([method]) => method);
      expect(await answers('/any', methods)).toEqual(expected(EXPECTED));
    });

    it('leaves the body to a handler that wants none, where the platform does', async () => {
      const status = platform.name === 'Express' ? 200 : 415;
      expect(await answers('/none', ['DELETE'])).toEqual(expected([['DELETE', status]]));
    });
  });
});
