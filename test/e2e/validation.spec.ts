import { Body, Controller, Post, UsePipes, ValidationPipe } from '@nestjs/common';
import { Type } from 'class-transformer';
import { IsEmail, IsInt, IsString, Matches, MaxLength, ValidateNested } from 'class-validator';
import { z } from 'zod';
import { StrictSchemaPipe, strictValidation } from '../../src/index.js';
import type { Answer } from '../support/http.js';
import { beforeNest, sinceNest } from '../support/nest-version.js';
import { PLATFORMS } from '../support/platforms.js';
import { type RunningApp, start } from '../support/start.js';

class Item {
  @IsString()
  name!: string;

  @IsInt()
  amount!: number;
}

class Order {
  @IsEmail()
  email!: string;

  @Matches(/^[a-z]+$/, { message: 'code $value is not right' })
  code!: string;

  @MaxLength(5, { each: true })
  tags!: string[];

  @ValidateNested({ each: true })
  @Type(() => Item)
  items!: Item[];
}

class Nothing {
  free!: string;
}

const orderSchema = z.strictObject({
  email: z.email(),
  code: z.string().regex(/^[a-z]+$/, { error: issue => `code ${String(issue.input)} is not right` }),
  items: z.array(z.object({ name: z.string(), amount: z.int() })),
});

let seen: unknown[] = [];
beforeEach(() => {
  seen = [];
});

@Controller()
class Routes {
  @Post('class')
  @UsePipes(new ValidationPipe(strictValidation()))
  byClass(@Body() order: Order): object {
    seen.push(order);
    return {};
  }

  @Post('nothing')
  @UsePipes(new ValidationPipe(strictValidation()))
  nothing(@Body() body: Nothing): object {
    seen.push(body);
    return {};
  }

  @Post('schema')
  bySchema(@Body(new StrictSchemaPipe(orderSchema)) order: z.infer<typeof orderSchema>): object {
    seen.push(order);
    return {};
  }
}

const GOOD = { email: 'a@example.com', code: 'abc', items: [{ name: 'pen', amount: 1 }] };

describe.each(PLATFORMS)('strict validation on %s', (_title, platform) => {
  const send = (app: RunningApp, path: string, body: object): Promise<Answer> =>
    app.send(path, { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } });

  describe.each([
    ['class-validator', '/class', { ...GOOD, tags: ['short'] }],
    ['a Standard Schema', '/schema', GOOD],
  ])('by %s', (_by, path, good) => {
    it('lets through what is right', async () => {
      const app = await start(platform, { controllers: [Routes] });
      expect([(await send(app, path, good)).status, seen]).toEqual([201, [good]]);
    });

    it.each<[string, object, string]>([
      ['an unknown member', { isAdmin: 'topsecret' }, path === '/class' ? 'isAdmin' : ''],
      ['a wrong value', { email: 'topsecret' }, 'email'],
      ['a message that repeats the value', { code: 'TOPSECRET topsecret' }, 'code'],
      ['a number as text', { items: [{ name: 'pen', amount: '12345' }] }, 'items.0.amount'],
      ['another type', { items: 'topsecret' }, 'items'],
    ])('rejects %s, says where, and repeats nothing', async (_what, part, at) => {
      const app = await start(platform, { controllers: [Routes] });
      const answer = await send(app, path, { ...good, ...part });
      expect([answer.status, seen]).toEqual([400, []]);
      const { code, errors } = answer.json();
      expect(code).toBe('validation_failed');
      expect(errors).toContainEqual({ path: at, message: expect.stringMatching(/./) });
      expect(answer.body).not.toMatch(/topsecret|12345/i);
    });

    it('lists a bounded number of faults', async () => {
      const app = await start(platform, { controllers: [Routes] });
      const items = Array.from({ length: 200 }, () => ({ name: 1, amount: 'x' }));
      const { errors } = (await send(app, path, { ...good, items })).json();
      expect(errors).toHaveLength(50);
    });
  });

  it('shows no member name that the client chose', async () => {
    const app = await start(platform, { controllers: [Routes] });
    const answer = await send(app, '/class', { ...GOOD, tags: [], '<script>evil</script>': 1 });
    expect([answer.status, answer.json().errors]).toEqual([400, [{ path: '?', message: 'is not expected' }]]);
  });

  it('rejects a class without rules', async () => {
    const app = await start(platform, { controllers: [Routes] });
    expect([(await send(app, '/nothing', { free: 'x' })).status, seen]).toEqual([400, []]);
  });

  sinceNest([12, 0], '@Body() takes a schema since Nest 12')('a schema of the decorator', () => {
    it('is taken by a pipe without one', async () => {
      @Controller()
      class Decorated {
        @Post()
        create(@Body({ schema: orderSchema } as never) order: object): object {
          seen.push(order);
          return {};
        }
      }
      const app = await start(platform, {
        controllers: [Decorated],
        configure: nest => void nest.useGlobalPipes(new StrictSchemaPipe()),
      });
      const wrong = await send(app, '/', { ...GOOD, email: 'topsecret' });
      expect([wrong.status, wrong.json().code]).toEqual([400, 'validation_failed']);
      expect([(await send(app, '/', GOOD)).status, seen]).toEqual([201, [GOOD]]);
    });
  });

  it('takes options over its own', () => {
    expect(strictValidation({ transform: false, groups: ['a'] })).toMatchObject({
      transform: false,
      groups: ['a'],
      whitelist: true,
    });
  });
});

describe('StrictSchemaPipe', () => {
  beforeNest([12, 0], 'Nest 12 passes the schema of the decorator')('without a schema', () => {
    it('stops the start where Nest passes none', () => {
      expect(() => new StrictSchemaPipe()).toThrow(
        'StrictSchemaPipe has no schema, and Nest 11 passes none from @Body({ schema }). Give it the schema: ' +
          '@Body(new StrictSchemaPipe(schema)). Or update Nest to version 12. [ASEC_OPTIONS_MISSING]',
      );
    });
  });

  it.each<[string, unknown, string]>([
    ['undefined', undefined, 'the schema of StrictSchemaPipe is undefined'],
    ['no schema', {}, 'the schema of StrictSchemaPipe must be a Standard Schema'],
  ])('refuses %s', (_what, given, message) => {
    expect(() => new StrictSchemaPipe(given as never)).toThrow(message);
  });

  it('removes members that pollute a prototype, at any depth', async () => {
    const pipe = new StrictSchemaPipe(z.looseObject({}));
    const inner: unknown = JSON.parse('{"a":[{"__proto__":{"x":1},"constructor":1,"prototype":1,"b":2}]}');
    const deep = Array.from({ length: 50_000 }).reduce<unknown>(within => [within], inner);
    expect(await pipe.transform({ inner, deep }, { type: 'body' })).toMatchObject({
      inner: { a: [{ b: 2 }] },
    });
    expect(JSON.stringify(inner)).toBe('{"a":[{"b":2}]}');
  });
});
