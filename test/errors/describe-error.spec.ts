import {
  BadRequestException,
  ForbiddenException,
  HttpException,
  ImATeapotException,
  InternalServerErrorException,
  NotFoundException,
  PayloadTooLargeException,
  ServiceUnavailableException,
} from '@nestjs/common';
import { ProblemException } from '../../src/http/problem.exception.js';
import { describeError, reasonOf } from '../../src/errors/describe-error.js';
import { codeOfStatus } from '../../src/common/status-code.js';

const HIDDEN = "The request could not be answered. Its ID finds the reason in the server's log.";
const SECRET = 'password=hunter2';
const httpError = (status: number, expose: boolean, message: string): Error =>
  Object.assign(new Error(message), { status, statusCode: status, expose });
const fastifyError = (statusCode: number, code: string, message: string): Error =>
  Object.assign(new Error(message), { statusCode, code });

describe('describeError', () => {
  type Row = [title: string, exception: unknown, expected: object];
  const rows: Row[] = [
    [
      'a message',
      new ForbiddenException('Not yours'),
      { status: 403, code: 'forbidden', detail: 'Not yours' },
    ],
    ['no message', new ForbiddenException(), { status: 403, code: 'forbidden', members: {} }],
    [
      'a text for a body',
      new HttpException('Gone fishing', 410),
      { status: 410, code: 'gone', detail: 'Gone fishing' },
    ],
    [
      'the messages of class-validator',
      new BadRequestException(['name must be a string', 'age must be a number']),
      {
        status: 400,
        code: 'validation_failed',
        detail: 'The request is not valid',
        members: { errors: ['name must be a string', 'age must be a number'] },
      },
    ],
    [
      'a body with members of its own',
      new HttpException({ message: 'Too old', code: 'token_expired', type: 'urn:x', realm: 'a' }, 401),
      { status: 401, code: 'token_expired', type: 'urn:x', detail: 'Too old', members: { realm: 'a' } },
    ],
    [
      'members that would overwrite the problem’s own',
      new HttpException(
        { message: 'x', status: 200, title: 'OK', requestId: 'forged', stack: SECRET, cause: SECRET },
        409,
      ),
      { status: 409, code: 'conflict', detail: 'x', members: {} },
    ],
    [
      'a detail beside a message',
      new HttpException({ message: 'a', detail: 'b' }, 400),
      { status: 400, code: 'bad_request', detail: 'b', members: {} },
    ],
    ['a teapot', new ImATeapotException(), { status: 418, code: 'im_a_teapot' }],
    ['a body that is too large', new PayloadTooLargeException(), { status: 413, code: 'body_too_large' }],
    [
      'an error of the body parser',
      httpError(400, true, 'Unexpected token'),
      { status: 400, code: 'bad_request', detail: 'Unexpected token' },
    ],
    ['an error that is not public', httpError(400, false, SECRET), { status: 400, code: 'bad_request' }],
    [
      'an error of Fastify',
      fastifyError(415, 'FST_ERR_CTP_INVALID_MEDIA_TYPE', 'Unsupported'),
      { status: 415, code: 'unsupported_media_type', detail: 'Unsupported' },
    ],
    ['an error', new Error(SECRET), { status: 500, code: 'internal_error', detail: HIDDEN }],
    [
      'an error that only looks like HTTP',
      Object.assign(new Error(SECRET), { status: 404 }),
      { status: 500, code: 'internal_error', detail: HIDDEN },
    ],
    [
      'an error with a status code alone',
      Object.assign(new Error(SECRET), { statusCode: 404 }),
      { status: 500, code: 'internal_error', detail: HIDDEN },
    ],
    ['a text', SECRET, { status: 500, code: 'internal_error', detail: HIDDEN }],
    ['undefined', undefined, { status: 500, code: 'internal_error', detail: HIDDEN }],
    ['null', null, { status: 500, code: 'internal_error', detail: HIDDEN }],
    [
      'a 500 with a message',
      new InternalServerErrorException(SECRET),
      { status: 500, code: 'internal_error', detail: HIDDEN },
    ],
    [
      'a 503 with members',
      new HttpException({ message: SECRET, secret: SECRET }, 503),
      { status: 503, code: 'service_unavailable', detail: HIDDEN },
    ],
    [
      'a public 5xx of http-errors',
      httpError(502, true, SECRET),
      { status: 502, code: 'bad_gateway', detail: HIDDEN },
    ],
    [
      'a status that is none',
      new HttpException(SECRET, 999),
      { status: 500, code: 'internal_error', detail: HIDDEN },
    ],
    [
      'a status of NaN',
      new HttpException(SECRET, NaN),
      { status: 500, code: 'internal_error', detail: HIDDEN },
    ],
  ];
  it.each(rows)('%s', (_title, exception, expected) => {
    expect(describeError(exception, true)).toMatchObject(expected);
    expect(JSON.stringify(describeError(exception, true))).not.toContain(SECRET);
  });

  it("does not repeat the path of Nest's own 404", () => {
    const described = describeError(new NotFoundException('Cannot GET /<script>'), true);
    expect(described).toMatchObject({ status: 404, code: 'not_found' });
    expect(JSON.stringify(described)).not.toContain('script');
  });

  it('uses the problem of an exception that has one, also a 5xx', () => {
    const fields = { status: 503, code: 'draining', detail: 'Come back later' };
    expect(describeError(new ProblemException(fields), false)).toBe(fields);
  });

  it('keeps the status and nothing else with exposeMessages: false', () => {
    expect(describeError(new BadRequestException([SECRET]), false)).toEqual({
      status: 400,
      code: 'bad_request',
    });
    expect(describeError(new HttpException({ message: SECRET, a: SECRET }, 404), false)).toEqual({
      status: 404,
      code: 'not_found',
    });
  });

  it('carries no __proto__ of a body', () => {
    const body = JSON.parse('{"message": "x", "__proto__": {"polluted": true}}') as object;
    const { members } = describeError(new HttpException(body, 400), true);
    expect(Object.keys(members!)).toEqual([]);
    expect((members as { polluted?: unknown }).polluted).toBeUndefined();
  });
});

describe('reasonOf', () => {
  const rows: [title: string, exception: unknown, expected: unknown][] = [
    ['an error', new Error('x'), 'x'],
    ['a text', 'x', 'x'],
    ['undefined', undefined, 'undefined'],
    ['null', null, 'null'],
    ['a 404', new NotFoundException(), undefined],
    ['a 503 that a handler throws', new ServiceUnavailableException('no database'), 'no database'],
    ['a 503 with members', new ServiceUnavailableException({ message: 'no', a: 1 }), 'no'],
    ['a 503 without a message', new ServiceUnavailableException({ a: 1 }), { a: 1 }],
    ['a status that is no error status', new HttpException('x', 999), 'x'],
    ['a 5xx of http-errors', httpError(502, false, 'x'), 'x'],
    ['a 4xx of http-errors', httpError(400, true, 'x'), undefined],
    ['a problem', new ProblemException({ status: 503, code: 'x' }), undefined],
  ];
  it.each(rows)('%s: %s', (_title, exception, expected) => expect(reasonOf(exception)).toEqual(expected));
});

describe('codeOfStatus', () => {
  const rows: [status: number, code: string][] = [
    [400, 'bad_request'],
    [404, 'not_found'],
    [405, 'method_not_allowed'],
    [413, 'body_too_large'],
    [418, 'im_a_teapot'],
    [429, 'rate_limited'],
    [431, 'request_header_fields_too_large'],
    [499, 'error'],
  ];
  it.each(rows)('%d is %s', (status, code) => expect(codeOfStatus(status)).toBe(code));
});
