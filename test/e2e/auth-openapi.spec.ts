/* OpenAPI documents of @nestjs/swagger, with a main.ts as in its documentation. */
import { Controller, Get, Post } from '@nestjs/common';
import {
  ApiExtension,
  ApiOkResponse,
  ApiSecurity,
  ApiUnauthorizedResponse,
  DocumentBuilder,
  SwaggerModule,
} from '@nestjs/swagger';
import { AnyScope, type AuthOptions, Public, Scopes } from '../../src/index.js';
import { SECRET, TestKeys } from '../support/keys.js';
import { PLATFORMS_AND_MODES } from '../support/platforms.js';
import { start } from '../support/start.js';

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
    expect(Object.keys(get.responses)).toEqual(['200', '401', '403', '429']);
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

  test('adds nothing without auth or with openapi: false', async () => {
    for (const auth of [false, { ...keyed(), openapi: false }] as const) {
      const document = await documentOf(auth);
      expect(document.components.securitySchemes).toBeUndefined();
      expect(Object.keys(document.paths['/open/shared'].get.responses)).toEqual(['200']);
      expect(JSON.stringify(document)).not.toContain('x-agent-security');
    }
  });
});
