/** Names of budget periods, in UTC: the key of the period a moment falls in. PostgreSQL computes the same in SQL. */
import type { BudgetPeriod } from './storage.ts';

const dayMs = 86_400_000;

/** `2026-11-24`, of Unix milliseconds, UTC. */
export function utcDay(atMs: number): string {
  return new Date(atMs).toISOString().slice(0, 10);
}

/** `total`, `2026-11-24`, the Monday a week begins with, or `2026-11`. */
export function periodKey(period: BudgetPeriod, atMs: number): string {
  switch (period) {
    case 'total':
      return 'total';
    case 'day':
      return utcDay(atMs);
    case 'week':
      return utcDay(atMs - ((new Date(atMs).getUTCDay() + 6) % 7) * dayMs);
    default:
      return utcDay(atMs).slice(0, 7);
  }
}
