/* What the dashboard keeps: bounded, whatever clients send. */
import { BoundedCounts, OTHER } from '../../src/dashboard/bounded-counts.js';
import { Figures, type FigureLists } from '../../src/dashboard/figures.js';
import { mergeFigures } from '../../src/dashboard/merge-figures.js';
import { readSharedFigures } from '../../src/dashboard/read-shared-figures.js';
import { SecurityEvents } from '../../src/events/security-events.js';
import { ManualClock } from '../support/clock.js';

function createFigures() {
  const clock = new ManualClock();
  const events = new SecurityEvents();
  const figures = new Figures(clock, events);
  const reject = (parts: object = {}) =>
    events.emit({
      type: 'request.rejected',
      timeMs: clock.epochMs(),
      status: 404,
      code: 'not_found',
      reason: undefined,
      received: undefined,
      remedy: undefined,
      ...parts,
    });
  return { clock, events, figures, reject };
}
const bytesOf = (lists: FigureLists): number => JSON.stringify(lists).length;

describe('the figures of a process', () => {
  it('count by minute, and forget what is older than an hour', () => {
    const { clock, figures, reject } = createFigures();
    for (let minute = 0; minute < 100; minute++) {
      figures.check();
      figures.check();
      reject();
      clock.advance(60_000);
    }
    const { minutes } = figures.lists();
    expect(minutes.length).toBe(59);
    expect(minutes.at(-1)).toMatchObject({ requests: 2, rejections: 1, codes: [['not_found', 1]] });
    clock.advance(3_600_000);
    expect(figures.lists().minutes).toEqual([]);
  });

  it.each([
    ['count into the last minute when the system time goes back a little', -30_000, [2]],
    ['begin anew at the system time when it goes back far', -300_000, [1]],
  ])('%s', (_title, ms, expected) => {
    const { clock, figures } = createFigures();
    clock.jump(600_000);
    figures.check();
    clock.jump(ms);
    figures.check();
    expect(figures.lists().minutes.map(({ requests }) => requests)).toEqual(expected);
  });

  it('stay small under a flood of invented codes, agents, addresses, tools and long texts', () => {
    const { clock, events, figures, reject } = createFigures();
    const long = '\u{1F4A3}'.repeat(10_000);
    for (let count = 0; count < 10_000; count++) {
      reject({
        code: `code-${count}`,
        policies: [`limit-${count}`],
        agent: `agent-${count}`,
        path: long,
        reason: long,
      });
      events.emit({
        type: 'tool.rejected',
        timeMs: clock.epochMs(),
        tool: `${long}${count}`,
        reason: 'not-listed',
        code: 'tool_not_allowed',
      });
      const limit = { policy: { name: 'all', burst: 10 }, remaining: 0, resetMs: 60_000, violated: true };
      figures.observeQuota(
        { agent: undefined, client: { address: `10.0.${count >> 8}.${count & 255}` } } as never,
        [limit],
      );
      figures.observeAudit({
        time: new Date(0).toISOString(),
        event: 'finished',
        tool: `tool-${count}`,
        outcome: 'ok',
      });
    }
    const lists = figures.lists();
    expect(bytesOf(lists)).toBeLessThan(250_000);
    expect(lists.minutes[0]!.codes.length).toBeLessThanOrEqual(25);
    expect(lists.clients.length).toBeLessThanOrEqual(20);
    expect(lists.tools.length).toBeLessThanOrEqual(100);
    expect(lists.minutes[0]!.codes.find(([name]) => name === OTHER)![1]).toBe(10_000 - 24);
  });

  it('keep a rare rejection under a flood of another kind', () => {
    const { figures, reject } = createFigures();
    reject({ code: 'identity_unavailable', requestId: 'rare' });
    for (let count = 0; count < 1_000; count++) reject({ code: 'rate_limited' });
    expect(figures.search('rare', 10).rejections).toHaveLength(1);
  });

  it('show agents under a flood of addresses, the nearest first', () => {
    const { figures } = createFigures();
    const note = (client: object, remaining: number) =>
      figures.observeQuota(client as never, [
        { policy: { name: 'all', burst: 10 }, remaining, resetMs: 60_000, violated: remaining === 0 },
      ]);
    note({ agent: { id: 'bot' }, client: { address: '10.9.9.9' } }, 2);
    for (let count = 0; count < 500; count++) note({ client: { address: `10.0.0.${count}` } }, 5);
    note({ client: { address: '10.1.1.1' } }, 0);
    note({ client: { address: '10.1.1.2' } }, 9);
    const { clients } = figures.lists();
    expect(clients.slice(0, 2)).toMatchObject([
      { address: '10.1.1.1', isOver: true },
      { agent: 'bot', used: 8 },
    ]);
    expect(clients.some(({ address }) => address === '10.1.1.2')).toBe(false);
  });

  it('show one address of a block that shares a quota, so that one client does not displace the others', () => {
    const { figures } = createFigures();
    const note = (address: string) =>
      figures.observeQuota({ client: { address } } as never, [
        { policy: { name: 'all', burst: 10 }, remaining: 1, resetMs: 60_000, violated: false },
      ]);
    note('10.0.0.1');
    for (let count = 1; count < 500; count++) note(`2001:db8:1:2::${count.toString(16)}`);
    expect(figures.lists().clients.map(({ address }) => address)).toEqual(['10.0.0.1', '2001:db8:1:2::1f3']);
  });

  it('forget how a client stood when its units have returned', () => {
    const { clock, figures } = createFigures();
    const limit = { policy: { name: 'all', burst: 10 }, remaining: 1, resetMs: 60_000, violated: false };
    figures.observeQuota({ client: { address: '10.0.0.1' } } as never, [limit]);
    clock.advance(60_001);
    expect(figures.lists().clients).toEqual([]);
  });
});

const LISTS =
  '"minutes":[],"clients":[],"rejections":[],"tools":[{"tool":"x","calls":1e999,"failures":0,"rejections":0}],"audit":[]';

describe('the figures of several processes', () => {
  it('leave out rows with numbers without end', () => {
    expect(readSharedFigures(`{"id":"a","timeMs":0,${LISTS}}`)).toMatchObject({ id: 'a', tools: [] });
  });

  it('are their sum', () => {
    const [a, b] = [createFigures(), createFigures()];
    for (const { figures, reject } of [a, b, b]) {
      figures.check();
      reject({ policies: ['all'] });
    }
    const merged = mergeFigures([a.figures.lists(), b.figures.lists()], a.clock.epochMs());
    expect(merged.minutes).toEqual([
      expect.objectContaining({
        requests: 3,
        rejections: 3,
        codes: [['not_found', 3]],
        policies: [['all', 3]],
      }),
    ]);
    expect(merged.rejections).toHaveLength(3);
  });

  it.each([
    ['no JSON', '{'],
    ['another shape', '{"id":"a","minutes":[]}'],
    ['null', 'null'],
    ['a number without end as its time', `{"id":"a","timeMs":1e999,${LISTS}}`],
  ])('leave out %s', (_title, text) => expect(readSharedFigures(text)).toBeUndefined());
});

it('a name may be that of a prototype', () => {
  const counts = new BoundedCounts(5);
  counts.add('__proto__');
  expect(counts.list()).toEqual([['__proto__', 1]]);
});
