import fc from 'fast-check';
import { McpPaths, readMcpPaths } from '../../src/mcp/mcp-path.js';
import type { RouteMount } from '../../src/http/route-mount.js';

const pathsOf = (paths: string[], mount: Partial<RouteMount> = {}): McpPaths =>
  new McpPaths(new Set(paths), () => ({ prefix: '', versionPrefix: undefined, ...mount }));
const paths = pathsOf(['/mcp', '/api/v1/mcp']);

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
  '/mcp%2Fx',
])('covers %s', target => expect(paths.has(target)).toBe(true));

it.each([
  '/',
  '/mcpx',
  '/x/mcp',
  '/mc',
  '/api/v1',
  '/%zz',
  '*',
  '',
  '/?/mcp',
  'http://a.test',
  '/api/mcp',
  '/v1/mcp',
])('leaves %s alone', target => expect(paths.has(target)).toBe(false));

it('a root covers itself alone', () => {
  const root = pathsOf(['/']);
  expect([root.has('/'), root.has('//'), root.has('/x')]).toEqual([true, true, false]);
});

type Mounted = [path: string, mount: Partial<RouteMount>, covered: string[], others: string[]];
const mounted: Mounted[] = [
  [
    '/mcp',
    { prefix: 'api' },
    ['/mcp', '/api/mcp', '/API//mcp/x'],
    ['/api', '/apimcp', '/api/x/mcp', '/x/mcp'],
  ],
  [
    '/mcp',
    { versionPrefix: 'v' },
    ['/mcp', '/v1/mcp', '/V2/mcp', '/v2024-01/mcp'],
    ['/1/mcp', '/v/mcp', '/api/v1/mcp'],
  ],
  ['/mcp', { versionPrefix: '' }, ['/mcp', '/1/mcp'], ['/1/2/mcp']],
  [
    '/mcp',
    { prefix: 'a/b', versionPrefix: 'v' },
    ['/mcp', '/a/b/mcp', '/a/b/v1/mcp', '/v1/mcp'],
    ['/a/mcp', '/a/b/mcpx'],
  ],
  ['/mcp', { prefix: ':tenant/api' }, ['/acme/api/mcp', '/a%2fb/api/mcp'], ['/api/mcp', '/a/b/api/mcp']],
  [
    '/:tenant/mcp',
    {},
    ['/acme/mcp', '/a%2Fb/mcp', '/a;b/mcp', '/acme/mcp/below'],
    ['/mcp', '/a/b/mcp', '/acme/mcpx'],
  ],
  ['/', { prefix: 'api' }, ['/', '/api', '/api/'], ['/api/x', '/x']],
  ['/', { versionPrefix: '' }, ['/'], ['/x']],
];
it.each(mounted)('%s under %j', (path, mount, covered, others) => {
  const own = pathsOf([path], mount);
  expect([...covered, ...others].filter(target => own.has(target))).toEqual(covered);
});

it.each([
  'mcp',
  '/mcp/*',
  '/*path',
  '/a:b',
  '/:a-:b',
  '/(a|b)',
  '/{mcp}',
  '/mc[p]',
  '/mcp?x',
  '/m%63p',
  '/mcp;x',
  '/m cp',
  '',
])('rejects the path %j', path => expect(() => readMcpPaths('mcp.path', path)).toThrow(/ASEC_PATH_INVALID/));

it.each([['/mcp'], ['/:tenant/mcp'], ['/a.b-c_d~/mcp'], ['/']])('accepts the path %j', path =>
  expect([...readMcpPaths('mcp.path', path)]).toEqual([path]),
);

it('takes linear time for every path', () => {
  const own = pathsOf(['/:a/:b/mcp'], { prefix: ':p/api', versionPrefix: '' });
  fc.assert(
    fc.property(fc.constantFrom('/', '/a', '/%2f', '/;', '%2f', 'a/'), unit => {
      const before = process.cpuUsage().user;
      own.has(`/${unit.repeat(30_000)}`);
      return process.cpuUsage().user - before < 200_000;
    }),
    { numRuns: 12 },
  );
});
