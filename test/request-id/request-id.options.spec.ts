import { AgentSecurityConfigError } from '../../src/common/config-error.js';
import { resolveRequestId } from '../../src/request-id/request-id.options.js';

function code(input: unknown): string {
  try {
    resolveRequestId(input);
    return 'accepted';
  } catch (error) {
    return error instanceof AgentSecurityConfigError ? error.code : String(error);
  }
}

describe('resolveRequestId', () => {
  it('is X-Request-ID by default, and off with false', () => {
    expect(resolveRequestId(undefined)).toMatchObject({
      header: 'X-Request-ID',
      lowerCaseHeader: 'x-request-id',
    });
    expect(resolveRequestId(false)).toBe(false);
  });

  it('keeps the case in which a header is sent', () => {
    expect(resolveRequestId({ header: 'X-Correlation-ID' })).toMatchObject({
      header: 'X-Correlation-ID',
      lowerCaseHeader: 'x-correlation-id',
    });
  });

  const rejected: [title: string, input: unknown, code: string][] = [
    ['a header with a space', { header: 'X Request' }, 'ASEC_REQUEST_ID_HEADER'],
    ['a header with a colon', { header: 'X-Request-ID:' }, 'ASEC_REQUEST_ID_HEADER'],
    ['a header with a line break', { header: 'X-A\r\nX-B' }, 'ASEC_REQUEST_ID_HEADER'],
    ['a header of 65 characters', { header: 'x'.repeat(65) }, 'ASEC_REQUEST_ID_HEADER'],
    ['an empty header', { header: '' }, 'ASEC_OPTION_TYPE'],
    ['a pattern as text', { accept: '^a$' }, 'ASEC_OPTION_TYPE'],
    ['a generator that is none', { generate: 'uuid' }, 'ASEC_OPTION_TYPE'],
    ['an unknown key', { generator: () => 'a' }, 'ASEC_OPTION_UNKNOWN'],
  ];
  it.each(rejected)('rejects %s', (_title, input, expected) => expect(code(input)).toBe(expected));
});
