/** What the account used. */
import type { APIPromise } from '../api-promise.ts';
import type { RequestOptions } from '../options.ts';
import type { Requester } from '../request.ts';
import type { UsageParams, UsageReport } from '../types/account.ts';

export class UsageReports {
  readonly #requester: Requester;

  constructor(requester: Requester) {
    this.#requester = requester;
  }

  /**
   * Requests, tokens and cost of the account, by kind of call, provider, model and day.
   *
   * @example
   * const { total_cost, remaining_credits } = await client.usage.retrieve({ start_date: '2026-11-01' });
   */
  retrieve(query: UsageParams = {}, options?: RequestOptions): APIPromise<UsageReport> {
    return this.#requester.send({ method: 'GET', path: '/api/v1/user/usage', query }, options);
  }
}
