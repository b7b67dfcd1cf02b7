import fc from 'fast-check';
import { McpPaths, routedPath } from '../../src/mcp/mcp-path.js';

const paths = new McpPaths(['/mcp', '/api/v1/mcp']);

it.each([
  '/mcp',
  '/MCP',
  '/mcp/',
  '/mcp//',
  '//mcp',
  '/%6Dcp',
  '/mcp?x',
  '/mcp#x',
  '/mcp;v=1',
  '/mcp/x',
  'http://a.test/mcp',
  '/API/v1//mcp/',
])('covers %s', target => expect(paths.has(target)).toBe(true));

it.each(['/', '/mcpx', '/x/mcp', '/mc', '/api/v1', '/%zz', '*', '', '/?/mcp', 'http://a.test'])(
  'leaves %s alone',
  target => expect(paths.has(target)).toBe(false),
);

it('a root covers itself alone', () => {
  const root = new McpPaths(['/']);
  expect([root.has('/'), root.has('//'), root.has('/x')]).toEqual([true, true, false]);
});

it('one spelling is one spelling', () => {
  const tokens = ['/', 'mcp', 'MCP', '%6d', '%2f', ';', '?', '%', '.', '..', 'a'];
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...tokens), { maxLength: 8 }), parts => {
      const once = routedPath(`/${parts.join('')}`.split('?')[0]!);
      return !/[A-Z]|\/\//.test(once) && once.startsWith('/');
    }),
  );
});
