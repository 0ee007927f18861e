/** API keys: their rows, and what is read and written of them. Secrets are stored as hashes only. */
import { sql, type CompiledQuery, type Kysely } from 'kysely';
import { bumpVersion, decodeBudget, newBudget } from './budget-rows.ts';
import { clock, type Executor, type Statement } from './executor.ts';
import type { Tables } from './schema.ts';
import type { ApiKey, Budget, Credential, NewKey, Storage } from './storage.ts';

const number = (value: bigint | null): number | null => (value === null ? null : Number(value));
const integer = (value: number | null): bigint | null => (value === null ? null : BigInt(Math.round(value)));

interface KeyRow {
  readonly id: string;
  readonly account_id: string;
  readonly name: string;
  readonly prefix: string;
  readonly rpm: bigint | null;
  readonly tpm: bigint | null;
  readonly allowed_models: string | null;
  readonly expires_at: bigint | null;
  readonly revoked_at: bigint | null;
  readonly created_at: bigint;
  readonly last_used_at: bigint | null;
  readonly budget_id: string | null;
}

function decodeKey(row: KeyRow, budget: Budget | null): ApiKey {
  return {
    id: row.id,
    accountId: row.account_id,
    name: row.name,
    prefix: row.prefix,
    rpm: number(row.rpm),
    tpm: number(row.tpm),
    allowedModels: row.allowed_models === null ? null : JSON.parse(row.allowed_models),
    expiresAtMs: number(row.expires_at),
    revokedAtMs: number(row.revoked_at),
    createdAtMs: Number(row.created_at),
    lastUsedAtMs: number(row.last_used_at),
    budget,
  };
}

type KeyRecords = Pick<
  Storage,
  'createKey' | 'findCredential' | 'listKeys' | 'revokeKey' | 'rotateKey' | 'touchKeys'
>;

/** The keys' part of Storage over an open database. */
export function keyRecords(database: Kysely<Tables>, executor: Executor): KeyRecords {
  return { ...keyReads(database, executor), ...keyWrites(database, executor) };
}

function keyReads(
  database: Kysely<Tables>,
  executor: Executor,
): Pick<Storage, 'findCredential' | 'listKeys'> {
  const budgetsOf = async (ids: readonly string[]): Promise<Map<string, Budget>> => {
    if (ids.length === 0) return new Map();
    const rows = await database
      .selectFrom('budget')
      .selectAll()
      .select(clock(executor.engine).as('now_ms'))
      .where('id', 'in', ids)
      .execute();
    return new Map(rows.map((row) => [row.id, decodeBudget(row)]));
  };
  return {
    async findCredential(by): Promise<Credential | null> {
      const column = 'hash' in by ? 'hash' : 'id';
      const value = 'hash' in by ? by.hash : by.keyId;
      const row = await database
        .selectFrom('api_key')
        .selectAll()
        .where(column, '=', value)
        .executeTakeFirst();
      if (row === undefined) return null;
      const account = await database
        .selectFrom('account')
        .selectAll()
        .where('id', '=', row.account_id)
        .executeTakeFirstOrThrow();
      const budgets = await budgetsOf([account.id, ...(row.budget_id === null ? [] : [row.budget_id])]);
      const balance = budgets.get(account.id);
      if (balance === undefined) throw new Error(`account ${account.id} has no balance`);
      return {
        key: decodeKey(row, row.budget_id === null ? null : (budgets.get(row.budget_id) ?? null)),
        account: {
          id: account.id,
          name: account.name,
          soft: account.soft === 1n,
          createdAtMs: Number(account.created_at),
          balance,
        },
      };
    },
    async listKeys(accountId) {
      let query = database.selectFrom('api_key').selectAll().orderBy('created_at');
      if (accountId !== null) query = query.where('account_id', '=', accountId);
      const rows = await query.execute();
      const budgets = await budgetsOf(rows.flatMap((row) => (row.budget_id === null ? [] : [row.budget_id])));
      return rows.map((row) =>
        decodeKey(row, row.budget_id === null ? null : (budgets.get(row.budget_id) ?? null)),
      );
    },
  };
}

function keyWrites(
  database: Kysely<Tables>,
  executor: Executor,
): Omit<KeyRecords, 'findCredential' | 'listKeys'> {
  const changed = async (statements: readonly Statement[]): Promise<boolean> =>
    (await executor.transaction(statements)) > 0n;
  return {
    async createKey(key) {
      await executor.transaction(newKeyQueries(database, key));
    },
    revokeKey: (id) =>
      changed([
        database
          .updateTable('api_key')
          .set({ revoked_at: BigInt(Date.now()) })
          .where('id', '=', id)
          .where('revoked_at', 'is', null)
          .compile(),
        bumpVersion(database),
      ]),
    rotateKey: (id, secret) =>
      changed([
        database
          .updateTable('api_key')
          .set({ hash: secret.hash, prefix: secret.prefix })
          .where('id', '=', id)
          .where('revoked_at', 'is', null)
          .compile(),
        bumpVersion(database),
      ]),
    async touchKeys(used) {
      const latest = new Map<string, bigint>();
      for (const { keyId, atMs } of used) latest.set(keyId, BigInt(Math.round(atMs)));
      const entries = [...latest].sort(([a], [b]) => (a < b ? -1 : 1));
      for (let from = 0; from < entries.length; from += 500) {
        const some = entries.slice(from, from + 500);
        const times = some.map(([id, at]) => sql`when ${id} then cast(${at} as bigint)`);
        await database
          .updateTable('api_key')
          .set({ last_used_at: sql<bigint>`case id ${sql.join(times, sql` `)} end` })
          .where(
            'id',
            'in',
            some.map(([id]) => id),
          )
          .execute();
      }
    },
  };
}

function newKeyQueries(database: Kysely<Tables>, key: NewKey): CompiledQuery[] {
  const budgetId = key.budget === null ? null : `key:${key.id}`;
  const queries = [
    database
      .insertInto('api_key')
      .values({
        id: key.id,
        account_id: key.accountId,
        name: key.name,
        hash: key.hash,
        prefix: key.prefix,
        rpm: integer(key.rpm),
        tpm: integer(key.tpm),
        allowed_models: key.allowedModels === null ? null : JSON.stringify(key.allowedModels),
        expires_at: integer(key.expiresAtMs),
        revoked_at: null,
        created_at: BigInt(Date.now()),
        last_used_at: null,
        budget_id: budgetId,
      })
      .compile(),
  ];
  if (key.budget !== null && budgetId !== null) {
    const { amountNano, period } = key.budget;
    const { accountId } = key;
    queries.push(
      newBudget(database, {
        id: budgetId,
        accountId,
        kind: 'key',
        period,
        capped: true,
        grantedNano: amountNano,
      }),
    );
  }
  queries.push(bumpVersion(database));
  return queries;
}
