/**
 * The ordinary statements of both engines: accounts, keys, settings, pulses. One implementation on Kysely; rows come
 * with bigint for every integer and are decoded here, nowhere else.
 */
import { sql, type Kysely } from 'kysely';
import { clock, queryBuilder, tableOf, type Executor } from './executor.ts';
import { jobRecords } from './job-records.ts';
import { keyRecords } from './key-records.ts';
import { bumpVersion, decodeBudget, newBudget } from './budget-rows.ts';
import { mediaRecords } from './media-records.ts';
import { createReports } from './reports.ts';
import { versionSetting, type Tables } from './schema.ts';
import type { Account, Storage } from './storage.ts';

export type Records = Omit<Storage, 'engine' | 'commit' | 'ping' | 'close'>;

/** Everything of Storage but the ledger, over an open database. */
export function createRecords(executor: Executor): Records {
  const database = queryBuilder(executor);
  return {
    ...accountRecords(database, executor),
    ...keyRecords(database, executor),
    ...processRecords(database, executor),
    ...createReports(database, executor),
    videoJobs: jobRecords(database, executor),
    media: mediaRecords(database, executor),
  };
}

function accountRecords(
  database: Kysely<Tables>,
  executor: Executor,
): Pick<Storage, 'createAccount' | 'listAccounts' | 'findAccount'> {
  const accounts = async (id: string | null): Promise<Account[]> => {
    let query = database
      .selectFrom('account')
      .innerJoin('budget', 'budget.id', 'account.id')
      .selectAll('budget')
      .select(clock(executor.engine).as('now_ms'))
      .select(['account.name', 'account.soft', 'account.created_at'])
      .orderBy('account.created_at');
    if (id !== null) query = query.where('account.id', '=', id);
    const rows = await query.execute();
    return rows.map((row) => ({
      id: row.id,
      name: row.name,
      soft: row.soft === 1n,
      createdAtMs: Number(row.created_at),
      balance: decodeBudget(row),
    }));
  };
  return {
    async createAccount({ id, name, soft, capped }) {
      await executor.transaction([
        database
          .insertInto('account')
          .values({ id, name, soft: soft ? 1n : 0n, created_at: BigInt(Date.now()) })
          .compile(),
        newBudget(database, { id, accountId: id, kind: 'account', period: 'total', capped, grantedNano: 0n }),
        bumpVersion(database),
      ]);
    },
    listAccounts: () => accounts(null),
    findAccount: async (id) => (await accounts(id))[0] ?? null,
  };
}

/** An owner that said it lives is not written again for this long: an idle gateway should not fsync. */
const seenEveryMs = 1000;

function processRecords(
  database: Kysely<Tables>,
  executor: Executor,
): Pick<Storage, 'requestStop' | 'pulse' | 'readSetting' | 'settleSetting' | 'writeSetting' | 'audit'> {
  const { engine } = executor;
  const seen = new Map<string, number>();
  const readSetting = async (name: string): Promise<string | null> => {
    const row = await database
      .selectFrom('setting')
      .select('value')
      .where('name', '=', name)
      .executeTakeFirst();
    return row?.value ?? null;
  };
  return {
    async requestStop(accountId, idOrAlias) {
      const done = await database
        .updateTable('hold')
        .set({ stop_requested: 1n })
        .where('account_id', '=', accountId)
        .where('stream', '=', 1n)
        .where((match) => match.or([match('id', '=', idOrAlias), match('alias', '=', idOrAlias)]))
        .executeTakeFirst();
      return done.numUpdatedRows > 0n;
    },
    async pulse(owner) {
      const before = seen.get(owner);
      const at = performance.now();
      if (before === undefined || at - before >= seenEveryMs) {
        await database
          .insertInto('instance')
          .values({ owner, seen_at: clock(engine) })
          .onConflict((conflict) => conflict.column('owner').doUpdateSet({ seen_at: clock(engine) }))
          .execute();
        seen.set(owner, at);
      }
      const { rows } = await executor.query(
        sql<
          Record<string, unknown>
        >`select name, value from ${tableOf(engine, 'setting')} where name = ${versionSetting}
          union all select 'stop', id from ${tableOf(engine, 'hold')} where owner = ${owner} and stop_requested = 1`.compile(
          database,
        ),
      );
      const version = rows.find((row) => row['name'] === versionSetting);
      return {
        version: Number(version?.['value'] ?? 0),
        stopped: rows.filter((row) => row['name'] === 'stop').map((row) => String(row['value'])),
      };
    },
    readSetting,
    async settleSetting(name, value) {
      await database
        .insertInto('setting')
        .values({ name, value })
        .onConflict((conflict) => conflict.column('name').doNothing())
        .execute();
      return (await readSetting(name)) ?? value;
    },
    async writeSetting(name, value) {
      await database
        .insertInto('setting')
        .values({ name, value })
        .onConflict((conflict) => conflict.column('name').doUpdateSet({ value }))
        .execute();
      await database.executeQuery(bumpVersion(database));
    },
    async audit({ actor, action, target, detail }) {
      await database
        .insertInto('audit')
        .values({ at: BigInt(Date.now()), actor, action, target, detail })
        .execute();
    },
  };
}
