/** How many times a lease is renewed within its duration. */
const RENEWALS = 3;

interface LeaseSteps {
  readonly leaseMs: number;
  renew(): Promise<void>;
  release(): void;
}

/** The lease of concurrent requests: renewed until it is released or expires. */
export class Lease {
  readonly #timer: NodeJS.Timeout;
  #renewing: Promise<void> | undefined;
  #end: NodeJS.Timeout | undefined;
  #isReleased = false;

  constructor(private readonly steps: LeaseSteps) {
    this.#timer = setInterval(() => {
      // A failed renewal is ignored: the lease then ends by itself.
      this.#renewing ??= steps
        .renew()
        .catch(() => undefined)
        .finally(() => (this.#renewing = undefined));
    }, steps.leaseMs / RENEWALS).unref();
  }

  /** Stops renewing it: unless it is released before, it ends one lease after its last renewal. */
  expire(): void {
    clearInterval(this.#timer);
    this.#end ??= setTimeout(() => void this.release(), this.steps.leaseMs).unref();
  }

  /** Only the first call counts. Resolves when the release was handed to the store. */
  async release(): Promise<void> {
    if (this.#isReleased) return;
    this.#isReleased = true;
    clearInterval(this.#timer);
    clearTimeout(this.#end);
    // A running renewal decides when the lease began.
    if (this.#renewing !== undefined) await this.#renewing;
    this.steps.release();
  }
}
