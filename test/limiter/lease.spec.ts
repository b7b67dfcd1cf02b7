import { Lease } from '../../src/limiter/lease.js';

const LEASE_MS = 60_000;

describe('Lease', () => {
  beforeEach(() => void jest.useFakeTimers());
  afterEach(() => void jest.useRealTimers());

  const create = (renew = (): Promise<void> => Promise.resolve()) => {
    const release = jest.fn();
    return { lease: new Lease({ leaseMs: LEASE_MS, renew: jest.fn(renew), release }), release };
  };

  it('is released once one lease after it has expired, when its handler never ends', async () => {
    const { lease, release } = create();
    lease.expire();
    await jest.advanceTimersByTimeAsync(LEASE_MS - 1);
    expect(release).not.toHaveBeenCalled();
    await jest.advanceTimersByTimeAsync(1);
    expect(release).toHaveBeenCalledTimes(1);
    await lease.release();
    expect(release).toHaveBeenCalledTimes(1);
  });

  it('is released behind a renewal that is under way, and settles then', async () => {
    let renewed!: () => void;
    const { lease, release } = create(() => new Promise(resolve => (renewed = resolve)));
    await jest.advanceTimersByTimeAsync(LEASE_MS / 3);
    let settled = false;
    const releasing = lease.release().then(() => (settled = true));
    await jest.advanceTimersByTimeAsync(LEASE_MS);
    expect([release.mock.calls.length, settled]).toEqual([0, false]);
    renewed();
    await releasing;
    expect(release).toHaveBeenCalledTimes(1);
  });
});
