/* One limit of the module's own, of failed attempts or of an endpoint: counted in the shared store if there is one, else in this process. */
import { hashKey } from '../common/hash-key.js';
import { addressBlock, type Key64 } from '../common/ip-address.js';
import { joinKey } from '../common/join-key.js';
import { EVERY_POLICY, type QuotaDecision } from './consume.js';
import type { Policy } from './policy.js';
import type { QuotaEngine } from './quota-engine.js';
import type { QuotaClient } from './quota-request.js';
import type { QuotaTable } from './table/quota-table.js';

export class SharedLimit {
  readonly #table: QuotaTable;
  readonly #scope: string;

  constructor(
    policy: Policy,
    private readonly engine: Pick<QuotaEngine, 'createTable' | 'decide' | 'settings'>,
  ) {
    this.#table = engine.createTable([policy]);
    // Not the name alone: no scope of a route, a tool or the app's own limits begins like this.
    this.#scope = joinKey('module', policy.name);
  }

  /**
   * Consumes one unit of an address.
   * @returns while the store fails: `undefined` where `onStoreError` then grants, `'unavailable'` where it denies
   */
  consumeOf(client: { readonly address: string; readonly key: Key64 }): Promise<SharedDecision> {
    return this.#consume(addressBlock(client.address), client.key, true);
  }

  /** Consumes one unit of an agent. @returns as `consumeOf` */
  consumeOfAgent(id: string): Promise<SharedDecision> {
    return this.#consume(joinKey('agent', id), hashKey(id), false);
  }

  #consume(partitionKey: string, key: Key64, isAddress: boolean): Promise<SharedDecision> {
    return consumeUnit(this.engine, { table: this.#table, scope: this.#scope, partitionKey, key, isAddress });
  }
}

export type SharedDecision = QuotaDecision | 'unavailable' | undefined;

/** Where a unit is counted. */
interface Place {
  readonly table: QuotaTable;
  readonly scope: string;
  readonly partitionKey: string;
  /** In the table. @default the hash of scope and partition key */
  readonly key?: Key64;
  readonly isAddress?: boolean;
}

/**
 * Consumes one unit of one quota.
 * @returns while the store fails: `undefined` where `onStoreError` then grants, `'unavailable'` where it denies
 */
export async function consumeUnit(
  engine: Pick<QuotaEngine, 'decide' | 'settings'>,
  { table, scope, partitionKey, key, isAddress = false }: Place,
  client: QuotaClient = {},
): Promise<SharedDecision> {
  const storeKey = joinKey(scope, partitionKey);
  const charge = { table, mask: EVERY_POLICY, key: key ?? hashKey(storeKey), cost: 1 };
  const stored = { key: storeKey, scope, partitionKey, isAddress, policies: table.policies, cost: 1 };
  const decided = await engine.decide([{ partitionKey, charges: [charge], stored: [stored] }], client);
  if (decided !== undefined) return decided.decision;
  return engine.settings.onStoreError === 'deny' ? 'unavailable' : undefined;
}
