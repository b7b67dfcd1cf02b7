/* OpenAPI documents of @nestjs/swagger, with a main.ts as in its documentation. */
import { Controller, Get, Post, Put } from '@nestjs/common';
import {
  ApiExtension,
  ApiOkResponse,
  ApiSecurity,
  ApiUnauthorizedResponse,
  DocumentBuilder,
  SwaggerModule,
} from '@nestjs/swagger';
import {
  type AgentSecurityOptions,
  AgentTool,
  AnyScope,
  type AuthOptions,
  MaxBody,
  Public,
  RateLimit,
  Scopes,
  SkipRateLimit,
  Timeout,
} from '../../src/index.js';
import { SECRET, TestKeys } from '../support/keys.js';
import { PLATFORMS, PLATFORMS_AND_MODES } from '../support/platforms.js';
import { start } from '../support/start.js';
import { AUDIENCE, EC, ISSUER } from '../tokens/support.js';

class Base {
  @Get('shared')
  shared(): void {}
}

@Controller('data')
@Scopes('data:read')
class DataController extends Base {
  @Get()
  @ApiOkResponse({ description: 'as documented' })
  @ApiExtension('x-own', 1)
  list(): void {}

  @Post()
  @Scopes('a', 'b')
  @AnyScope('c')
  create(): void {}

  @Get('open')
  @Public()
  open(): void {}

  @Get('own')
  @ApiSecurity('mtls')
  @ApiUnauthorizedResponse({ description: 'mine' })
  own(): void {}
}

@Controller('open')
@Public()
class OpenController extends Base {}

describe.each(PLATFORMS_AND_MODES)('%s', (_title, platform) => {
  const documentOf = async (auth: AuthOptions | false, global = false): Promise<any> => {
    let document: unknown;
    await start(platform, {
      controllers: auth === false ? [OpenController] : [DataController, OpenController],
      options: { auth },
      configure: app => {
        const builder = new DocumentBuilder();
        if (global) builder.addSecurityRequirements('mtls');
        document = SwaggerModule.createDocument(app, builder.build());
      },
    });
    return document;
  };
  const keyed = (): AuthOptions => ({ apiKeys: { store: new TestKeys().store, secret: SECRET } });
  const PROBLEM = {
    'application/problem+json': { schema: { $ref: '#/components/schemas/ProblemDetails' } },
  };
  const either = [{ ApiKey: [] }, { Bearer: [] }];

  test('adds security schemes and error responses', async () => {
    const { paths, components } = await documentOf(keyed());
    expect(components.securitySchemes).toMatchObject({
      ApiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
      Bearer: { type: 'http', scheme: 'bearer' },
    });
    expect(components.schemas.ProblemDetails.required).toContain('code');
    const { get, post } = paths['/data'];
    expect(get.security).toEqual(either);
    expect(get['x-own']).toBe(1);
    expect(Object.keys(get.responses)).toEqual(['200', '401', '403', '429', '503']);
    expect(get.responses['200'].description).toBe('as documented');
    expect(get.responses['401'].content).toEqual(PROBLEM);
    expect(get.responses['403'].description).toBe('A scope is missing: needs all of data:read');
    expect(post.responses['403'].description).toBe('A scope is missing: needs all of a, b and one of c');
    expect(Object.keys(paths['/data/open'].get.responses)).toEqual(['200', '429']);
    expect(paths['/data/open'].get.security).toBeUndefined();
    expect(JSON.stringify(paths)).not.toContain('x-agent-security');
  });

  test('keeps what the document already contains', async () => {
    const { paths } = await documentOf(keyed());
    expect(paths['/data/own'].get.security).toEqual([{ mtls: [] }]);
    expect(paths['/data/own'].get.responses['401'].description).toBe('mine');
  });

  test('a handler that two classes inherit is described by the class', async () => {
    const { paths } = await documentOf(keyed());
    expect(paths['/data/shared'].get.security).toEqual(either);
    expect(paths['/open/shared'].get.security).toBeUndefined();
  });

  test('a public route overrides a global security requirement', async () => {
    const { paths } = await documentOf(keyed(), true);
    expect(paths['/data/open'].get.security).toEqual([]);
    expect(paths['/data'].get.security).toEqual(either);
  });

  test('adds nothing with openapi: false', async () => {
    const document = await documentOf({ ...keyed(), openapi: false });
    expect(document.components.securitySchemes).toBeUndefined();
    expect(Object.keys(document.paths['/open/shared'].get.responses)).toEqual(['200']);
    expect(JSON.stringify(document)).not.toContain('x-agent-security');
  });

  test('adds the limits without auth, and no credentials', async () => {
    const document = await documentOf(false);
    expect(document.components.securitySchemes).toBeUndefined();
    expect(document.components.schemas.ProblemDetails).toBeDefined();
    const { get } = document.paths['/open/shared'];
    expect(get.security).toBeUndefined();
    expect(Object.keys(get.responses)).toEqual(['200', '429']);
    expect(get.responses['429'].description).toBe(
      'A rate limit is exceeded: 10 requests per 1 second, 100 requests per 1 minute; ' +
        '100 requests per 1 second of an address on all routes. Wait for Retry-After',
    );
    expect(JSON.stringify(document)).not.toContain('x-agent-security');
  });
});

@Controller('numbers')
class Numbers {
  @Get('limited')
  @RateLimit('5/minute')
  limited(): void {}

  @Get('free')
  @SkipRateLimit()
  free(): void {}

  @Post('notes')
  @MaxBody('64kb')
  note(): void {}

  @Put('files')
  file(): void {}

  @Get('slow')
  @Timeout('2 seconds')
  slow(): void {}

  @Post('tool')
  @Scopes('tools')
  @AgentTool('delete_user', { scopes: ['users:delete'], limit: '3/hour' })
  tool(): void {}
}

describe.each(PLATFORMS)('the numbers on %s', (_title, platform) => {
  const documentOf = async (options: AgentSecurityOptions): Promise<any> => {
    let document: unknown;
    await start(platform, {
      controllers: [Numbers],
      options,
      configure: app => void (document = SwaggerModule.createDocument(app, new DocumentBuilder().build())),
    });
    return document;
  };
  const keyed = (): AgentSecurityOptions => ({
    auth: { apiKeys: { store: new TestKeys().store, secret: SECRET } },
    rateLimit: { limits: '7/minute', flood: false, tiers: { gold: '70/minute' } },
    body: { maxBytes: '1mb' },
  });
  const responses = ({ paths }: any, path: string, method: string): any =>
    paths[`/numbers/${path}`][method].responses;

  it('of limits, with the headers of a 429', async () => {
    const document = await documentOf(keyed());
    const limited = responses(document, 'limited', 'get')['429'];
    expect(limited.description).toBe(
      'Too many failed attempts of the address: 10 invalid credentials per 1 minute. ' +
        'A rate limit is exceeded: 5 requests per 1 minute. Wait for Retry-After',
    );
    expect(Object.keys(limited.headers)).toEqual([
      'Retry-After',
      'X-RateLimit-Limit',
      'X-RateLimit-Remaining',
      'X-RateLimit-Reset',
      'RateLimit-Policy',
      'RateLimit',
    ]);
    expect(limited.headers['Retry-After'].schema).toEqual({ type: 'integer' });
    expect(responses(document, 'files', 'put')['429'].description).toContain(
      'A rate limit is exceeded: 7 requests per 1 minute; 70 requests per 1 minute in the tier gold.',
    );
    expect(responses(document, 'free', 'get')['429'].description).not.toContain('A rate limit');
  });

  it('of bodies and time limits', async () => {
    const document = await documentOf(keyed());
    expect(responses(document, 'notes', 'post')['413'].description).toBe(
      'The body has more than 65536 bytes',
    );
    expect(responses(document, 'files', 'put')['413'].description).toBe(
      'The body has more than 1048576 bytes',
    );
    expect(responses(document, 'slow', 'get')['413']).toBeUndefined();
    const { description, headers } = responses(document, 'slow', 'get')['503'];
    expect(description).toBe(
      'Credentials cannot be verified at the moment. The response did not begin within 2 s',
    );
    expect(Object.keys(headers)).toEqual(['Retry-After']);
  });

  it('of a tool: its scopes and its limit', async () => {
    const all = responses(await documentOf({ ...keyed(), tools: {} }), 'tool', 'post');
    expect(all['403'].description).toBe(
      'A scope is missing: needs all of tools. ' +
        'The agent may not call the tool delete_user, or a scope is missing: needs all of users:delete',
    );
    expect(Object.keys(all['403'].headers)).toEqual(['WWW-Authenticate']);
    expect(all['401'].description).toContain('The tool delete_user needs a verified agent');
    expect(all['429'].description).toContain('Calls of the tool delete_user: 3 requests per 1 hour');
  });

  it.each([
    [{ limits: '7/minute', flood: false, shadow: true }, undefined],
    [
      { limits: '7/minute', flood: '9/second', shadow: true },
      'A rate limit is exceeded: 9 requests per 1 second of an address on all routes. Wait for Retry-After',
    ],
    [false, 'limited'],
  ] as const)('%j: limits that are not enforced are not described', async (rateLimit, expected) => {
    const document = await documentOf({
      rateLimit: rateLimit as never,
      body: false,
      tools: false,
      auth: { apiKeys: false, identify: () => undefined, failedAttempts: false },
    });
    const { description } = responses(document, 'files', 'put')['429'] ?? {};
    expect(description).toBe(expected === 'limited' ? undefined : expected);
    expect(responses(document, 'notes', 'post')['413']).toBeUndefined();
    expect(responses(document, 'tool', 'post')['403'].description).toBe(
      'A scope is missing: needs all of tools',
    );
  });

  it('of no header where they are not sent', async () => {
    const document = await documentOf({ ...keyed(), rateLimit: { limits: '7/minute', headers: false } });
    expect(Object.keys(responses(document, 'files', 'put')['429'].headers)).toEqual(['Retry-After']);
  });

  it('and which scheme takes which credential', async () => {
    const tokens = { issuer: ISSUER, audience: AUDIENCE, algorithms: ['ES256'], keys: EC.publicKey };
    const schemesOf = async (auth: AuthOptions): Promise<unknown> => {
      const { components } = await documentOf({ auth });
      const schemes = Object.entries(components.securitySchemes ?? {}) as [string, any][];
      return schemes.map(([name, { description }]) => `${name}: ${description}`);
    };
    const { apiKeys } = keyed().auth as AuthOptions;
    const key = 'ApiKey: Takes an API key.';
    expect(await schemesOf({ apiKeys: apiKeys! })).toEqual([key, 'Bearer: Takes an API key.']);
    expect(await schemesOf({ apiKeys: false, tokens })).toEqual(['Bearer: Takes an access token.']);
    expect(await schemesOf({ apiKeys: apiKeys!, tokens: { ...tokens, dpop: true } })).toEqual([
      key,
      'Bearer: Takes an API key or an access token.',
      'DPoP: Takes an access token that is bound to a key, with a proof in the header DPoP.',
    ]);
    expect(await schemesOf({ apiKeys: false, identify: () => undefined })).toEqual([]);
  });
});
