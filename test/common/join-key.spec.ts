import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import fc from 'fast-check';
import ts from 'typescript';
import { joinKey } from '../../src/common/join-key.js';
import { CspReports } from '../../src/csp-reports/csp-reports.js';
import { denialKey } from '../../src/edge/denial-cache.js';
import { createPolicy } from '../../src/limiter/create-policy.js';
import type { StoredCharge } from '../../src/limiter/store/quota-store.js';
import { ThrottlerQuotaStore } from '../../src/limiter/store/throttler-store.js';
import { keyOf } from '../../src/redis/quota-keys.js';
import { agent } from '../support/agents.js';
import { ToolQuotas } from '../../src/tools/tool-quotas.js';
import { resolveTool } from '../../src/tools/tool.options.js';

/** Text of what keys are made of, so that two lists of parts often read alike when they are only concatenated. */
const part = fc
  .array(fc.constantFrom('a', ':', '1', '1:', 'agent:', '/', ' ', '', '\ud800', '\udc00', '\ufffd', '3u:'), {
    maxLength: 4,
  })
  .map(tokens => tokens.join(''));
const parts = (count: number): fc.Arbitrary<string[]> =>
  fc.array(part, { minLength: count, maxLength: count });

const policies = [createPolicy({ limit: 5, windowMs: 60_000 })];
const charge = (scope: string, partitionKey: string): StoredCharge => ({
  key: joinKey(scope, partitionKey),
  scope,
  partitionKey,
  policies,
  cost: 1,
});

/** The keys that a call of a tool is counted under, in this process and in a store. */
async function toolKeys([name, partitionKey]: string[]): Promise<string> {
  const keys: string[] = [];
  const quotas = new ToolQuotas(
    { shadow: false, headers: true },
    {
      settings: { store: undefined, onStoreError: 'local', maxClients: 1 },
      createTable: () => ({}) as never,
      once: () => undefined,
      decide: async ([request]) => {
        keys.push(request!.stored[0]!.key, keyOf('', request!.stored[0]!));
        return undefined;
      },
    },
  );
  await quotas.consume(
    { ...resolveTool('tool', 'x', {}), name: name!, policies },
    { tool: name!, agent: agent(partitionKey!), address: '' },
  );
  return keys.join('\n');
}

async function throttlerKey([scope, partitionKey, name]: string[]): Promise<string> {
  const keys: string[] = [];
  const increment = async (key: string) => {
    keys.push(key);
    return { totalHits: 1, timeToExpire: 1, isBlocked: false, timeToBlockExpire: 0 };
  };
  const named = { ...policies[0]!, name: name! };
  await new ThrottlerQuotaStore({ increment }).consume([
    { ...charge(scope!, partitionKey!), policies: [named] },
  ]);
  return keys.join('\n');
}

/** Whether a second kind of violation is counted as the first. */
const kindKey = ([directive, blocked]: string[], reports: CspReports): number =>
  reports.add({ directive: directive!, blocked: blocked!, page: undefined, disposition: 'enforce' }, 'a');

const rejectionKey = ([method, path, host]: string[]): string | undefined =>
  denialKey(
    { method, url: `/${path}`, headers: { host } } as never,
    { key: { hi: 1, lo: 2 }, forwardedHosts: undefined } as never,
  );

describe('composite keys', () => {
  type Builder = readonly [
    title: string,
    count: number,
    build: (parts: string[]) => Promise<unknown> | unknown,
  ];
  const builders: readonly Builder[] = [
    ['joinKey()', 2, list => joinKey(...list)],
    ['the quota of a tool', 2, toolKeys],
    [
      'Redis, by scope and partition key',
      2,
      ([scope, partitionKey]) => keyOf('', charge(scope!, partitionKey!)),
    ],
    ['Redis, by key', 1, ([key]) => keyOf('', { key: key!, policies, cost: 1 })],
    ['a ThrottlerStorage', 3, throttlerKey],
    ['a known rejection', 3, rejectionKey],
  ];
  it.each(builders)('%s: other parts have another key', async (_title, count, build) => {
    await fc.assert(
      fc.asyncProperty(parts(count), parts(count), async (one, other) => {
        fc.pre(JSON.stringify(one) !== JSON.stringify(other));
        expect(await build(one)).not.toEqual(await build(other));
      }),
      { numRuns: 500, seed: 22 },
    );
  });

  it('differ for lists of different lengths', () => {
    fc.assert(
      fc.property(fc.array(part, { maxLength: 4 }), fc.array(part, { maxLength: 4 }), (one, other) => {
        fc.pre(JSON.stringify(one) !== JSON.stringify(other));
        expect(joinKey(...one)).not.toBe(joinKey(...other));
      }),
      { numRuns: 2_000, seed: 22 },
    );
  });

  it('differ for kinds of CSP violations', () => {
    fc.assert(
      fc.property(parts(2), parts(2), (one, other) => {
        fc.pre(JSON.stringify(one) !== JSON.stringify(other));
        const reports = new CspReports(10);
        expect([kindKey(one, reports), kindKey(other, reports)]).toEqual([1, 1]);
      }),
      { numRuns: 500, seed: 22 },
    );
  });

  it('survive UTF-8', () => {
    fc.assert(
      fc.property(parts(2), list => {
        const key = joinKey(...list);
        expect(Buffer.from(key, 'utf8').toString('utf8')).toBe(key);
      }),
      { numRuns: 500, seed: 22 },
    );
  });
});

/** Parts that are joined without `joinKey()`, each with the reason why they cannot be confused. */
const REVIEWED: ReadonlyMap<string, string> = new Map([
  [
    'host/host.options.ts `${name}:${port}`',
    'a host name has no colon, and an IPv6 address stands in brackets',
  ],
  ['host/check-host.ts `${name}:${port}`', 'as above'],
  ['host/check-host.ts `${suffix}:${port}`', 'as above'],
  ['tokens/dpop.ts `${signer} ${jti}`', 'a thumbprint is Base64url, without a space'],
  [
    "tokens/token-key.ts `${key.asymmetricKeyType ?? 'secret'} ${kid}`",
    'a type of key is a name without a space',
  ],
  ['auth/api-key.ts `${id}.${secret}`', 'both have a fixed alphabet without a dot'],
  ["auth/file-key-store.ts [ino, size, mtimeMs, ctimeMs].join(' ')", 'numbers'],
  ['redis/quota-keys.ts `${prefix}{${hashOf(key)}}`', 'neither a prefix nor a hash has braces'],
  ['redis/quota-keys.ts `${prefix}{${hashOf(key)}}!`', 'as above'],
  [
    'redis/quota-keys.ts `${prefix}{${tag}}${PLAIN_SCOPE.test(scope) ? scope : hashOf(scope)}`',
    'nor has a tag or a scope; a hash begins with "~", which is not plain',
  ],
  ["cors/origin.ts `${scheme}://${name}${port === undefined ? '' : `:${port}`}`", 'an origin, as serialized'],
  ['cors/decide-cors.ts `${scheme}://${name.slice(dot + 1)}${tail}`', 'as above'],
  ['common/option-table.ts `${option}.${key}`', 'the names of options are in tables'],
  ['scan/compare.ts `${id} ${message}`', 'an ID has no space'],
  ['scan/probes.ts `${NO_PATH}/${ECHO}`', 'a path'],
  [
    "scan/probes.ts `${path}${path.includes('?') ? '&' : '?'}access_token=${URL_SECRET}`",
    'a path with its query',
  ],
  [
    "network/proxy-proof.ts ['v1', seconds, nonce, method, target, digest].join('\\n')",
    'no field holds a newline',
  ],
  [
    'limiter/create-policy.ts `${limit}-per-${count === 1 ? period : `${count}-${period}s`}`',
    'numbers and units',
  ],
  ['tools/tool.options.ts `${tool}/${policy.name}`', 'what clients see; no counter is found by it'],
  ['headers/headers.options.ts `${option}.${key}`', 'the name of an option'],
  ["auth/auth-rejections.ts [...new Set([...all, ...any])].join(' ')", 'a list of scopes, as it is sent'],
  ["tokens/token-endpoint.ts scopes.join(' ')", 'as above'],
  ["tokens/token-issuer.ts scopes.join(' ')", 'as above'],
  ["client-address/client-address.feature.ts (input as readonly string[]).join(', ')", 'what operators read'],
  ['common/file-lock.ts `PID ${holder.pid} on ${holder.host}`', 'as above'],
]);

const SRC = join(__dirname, '..', '..', 'src');
/** What a text is called that something is found by. */
const KEY_NAME = /(?:^|[a-z])(?:key|id|name|scope|owner|tracker|question|quota|kind)s?$/i;
/** What is found by its argument. */
const KEY_USE = /^(?:hashKey|update|get|set|has|add|delete|isFirst|remember|forget|increment|hash)$/;

/** Texts of several variable parts that serve as a key, by how they are written. */
function concatenatedKeys(file: string, text: string): string[] {
  const found: string[] = [];
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const visit = (node: ts.Node): void => {
    if (isConcatenation(node) && isKey(node)) found.push(`${file} ${node.getText(source)}`);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

function isConcatenation(node: ts.Node): boolean {
  if (ts.isTemplateExpression(node)) return node.templateSpans.length > 1;
  return (
    ts.isCallExpression(node) &&
    ts.isPropertyAccessExpression(node.expression) &&
    node.expression.name.text === 'join'
  );
}

function isKey(node: ts.Node): boolean {
  const { parent } = node;
  if (
    ts.isConditionalExpression(parent) ||
    ts.isParenthesizedExpression(parent) ||
    ts.isBinaryExpression(parent)
  )
    return isKey(parent);
  if (ts.isVariableDeclaration(parent) || ts.isPropertyAssignment(parent) || ts.isPropertyDeclaration(parent))
    return parent.initializer === node && KEY_NAME.test(parent.name.getText());
  if (ts.isCallExpression(parent) && parent.arguments.includes(node as ts.Expression)) {
    const { expression } = parent;
    return KEY_USE.test(
      ts.isPropertyAccessExpression(expression) ? expression.name.text : expression.getText(),
    );
  }
  if (ts.isReturnStatement(parent) || ts.isArrowFunction(parent))
    return /^(?:key|id|name|scope|owner)|Key(?:Of)?$/.test(nameOfFunction(parent));
  return false;
}

function nameOfFunction(node: ts.Node): string {
  for (let at: ts.Node = node; at.parent !== undefined; at = at.parent) {
    if (ts.isFunctionDeclaration(at) || ts.isMethodDeclaration(at)) return at.name?.getText() ?? '';
    if (ts.isArrowFunction(at)) return ts.isVariableDeclaration(at.parent) ? at.parent.name.getText() : '';
  }
  return '';
}

describe('the source', () => {
  const files = readdirSync(SRC, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile() && entry.name.endsWith('.ts'))
    .map(({ parentPath, name }) => join(parentPath, name));
  const found = files.flatMap(path =>
    concatenatedKeys(relative(SRC, path).split(sep).join('/'), readFileSync(path, 'utf8')),
  );

  it('makes no key by concatenation but those that were reviewed', () =>
    expect(found.filter(key => !REVIEWED.has(key))).toEqual([]));

  it('finds keys that are concatenated', () => {
    const planted: readonly string[] = [
      'const key = `tool:${name}:${owner}`;',
      'const request = { owner: `${scope}:${tracker}` };',
      "const id = [name, limit].join('|');",
      'memory.set(`${method} ${path}`, 1);',
      'const number = hashKey(`${a}:${b}`);',
      'const idOf = (hi, lo) => `${hi}:${lo}`;',
      'function denialKey() { return `${method} ${path}`; }',
    ];
    for (const text of planted) expect(concatenatedKeys('planted.ts', text)).toHaveLength(1);
  });
});
