import { PROBLEM, problemOf, problemText, toProblem, withBodyParts } from '../../src/common/problem.js';
import { ProblemException } from '../../src/http/problem.exception.js';

describe('toProblem', () => {
  const fields = { status: 404, code: 'not_found' };

  it('uses about:blank as the default type', () => {
    expect(toProblem(fields, undefined, undefined)).toEqual({
      type: 'about:blank',
      title: 'Not Found',
      status: 404,
      code: 'not_found',
    });
  });

  it('prefixes the code with the base', () => {
    expect(toProblem(fields, 'https://api.test/problems/', undefined).type).toBe(
      'https://api.test/problems/not_found',
    );
  });

  it("lets the problem's own type win", () => {
    expect(toProblem({ ...fields, type: 'urn:own' }, 'https://api.test/', undefined).type).toBe('urn:own');
  });

  it('carries the detail, the ID of the request and further members', () => {
    const problem = toProblem({ ...fields, detail: 'Gone', members: { a: 1 } }, undefined, 'req-1');
    expect(problem).toMatchObject({ detail: 'Gone', requestId: 'req-1', a: 1 });
  });

  it('names a status that has no name', () => {
    expect(toProblem({ status: 499, code: 'x' }, undefined, undefined).title).toBe('Error');
  });
});

describe('problemOf', () => {
  it('finds the problem of an exception, whatever its class', () => {
    const fields = { status: 421, code: 'host_not_allowed', detail: 'No.' };
    expect(problemOf(new ProblemException(fields))).toBe(fields);
    expect(problemOf(Object.assign(new TypeError('x'), { [PROBLEM]: fields }))).toBe(fields);
  });

  it.each([undefined, null, 'text', 5, new Error('x'), {}])('finds none on %p', value =>
    expect(problemOf(value)).toBeUndefined(),
  );

  it('is an HttpException for the filters of a user', () => {
    const exception = new ProblemException({ status: 421, code: 'host_not_allowed', detail: 'No.' });
    expect([exception.getStatus(), exception.message]).toEqual([421, 'No.']);
  });
});

describe('withBodyParts', () => {
  const fields = {
    status: 429,
    code: 'rate_limited',
    type: 'urn:a',
    detail: 'Limit: "5" a\\b',
    members: { after: 1 },
  };

  it.each([
    ['an ID', 'req-1'],
    ['an ID with characters that JSON escapes', 'a"b\\c'],
    ['no ID', ''],
  ])('changes nothing of the body with %s', (_title, id) => {
    const kept = withBodyParts(fields);
    expect(problemText(kept, 'urn:a:', id)).toBe(problemText(fields, 'urn:a:', id));
  });
});
