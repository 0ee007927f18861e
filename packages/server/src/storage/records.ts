/**
 * The ordinary statements of both engines: accounts, keys, settings, pulses. One implementation on Kysely; rows come
 * with bigint for every integer and are decoded here, nowhere else.
 */
import { sql, type CompiledQuery, type Kysely } from 'kysely';
import { periodKey } from './period.ts';
import { createReports } from './reports.ts';
import { versionSetting, type Tables } from './schema.ts';
import type { Account, ApiKey, Budget, BudgetPeriod, Credential, NewKey, Storage } from './storage.ts';

/** Runs the queries in one transaction, none of them when the first changes no row. Answers whether it did. */
export type Atomically = (queries: readonly CompiledQuery[]) => Promise<boolean>;

export type Records = Omit<Storage, 'engine' | 'commit' | 'ping' | 'close'>;

const number = (value: bigint | null): number | null => (value === null ? null : Number(value));
const integer = (value: number | null): bigint | null => (value === null ? null : BigInt(Math.round(value)));

interface BudgetRow {
  readonly id: string;
  readonly capped: bigint;
  readonly period: string;
  readonly period_key: string;
  readonly granted_nano: bigint;
  readonly spent_nano: bigint;
  readonly held_nano: bigint;
}

function decodeBudget(row: BudgetRow): Budget {
  const period = row.period as BudgetPeriod;
  return {
    id: row.id,
    capped: row.capped === 1n,
    period,
    grantedNano: row.granted_nano,
    // A budget nobody has touched since its period ended still shows the old one's spend.
    spentNano: row.period_key === periodKey(period, Date.now()) ? row.spent_nano : 0n,
    heldNano: row.held_nano,
  };
}

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

/** Everything of Storage but the ledger, over an open database. */
export function createRecords(database: Kysely<Tables>, engine: 'sqlite' | 'postgres', atomically: Atomically): Records {
  return {
    ...accountRecords(database, atomically),
    ...keyRecords(database, atomically),
    ...processRecords(database),
    ...createReports(database, engine, atomically),
  };
}

/** The statement that tells every replica that something it may have cached has changed. */
export function bumpVersion(database: Kysely<Tables>): CompiledQuery {
  return database
    .updateTable('setting')
    .set({ value: sql<string>`cast(cast(value as bigint) + 1 as text)` })
    .where('name', '=', versionSetting)
    .compile();
}

function accountRecords(
  database: Kysely<Tables>,
  atomically: Atomically,
): Pick<Storage, 'createAccount' | 'listAccounts' | 'findAccount'> {
  const accounts = async (id: string | null): Promise<Account[]> => {
    let query = database
      .selectFrom('account')
      .innerJoin('budget', 'budget.id', 'account.id')
      .selectAll('budget')
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
      await atomically([
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

function newBudget(
  database: Kysely<Tables>,
  budget: { id: string; accountId: string; kind: string; period: BudgetPeriod; capped: boolean; grantedNano: bigint },
): CompiledQuery {
  return database
    .insertInto('budget')
    .values({
      id: budget.id,
      account_id: budget.accountId,
      kind: budget.kind,
      period: budget.period,
      period_key: periodKey(budget.period, Date.now()),
      capped: budget.capped ? 1n : 0n,
      granted_nano: budget.grantedNano,
      spent_nano: 0n,
      held_nano: 0n,
    })
    .compile();
}

function keyRecords(
  database: Kysely<Tables>,
  atomically: Atomically,
): Pick<Storage, 'createKey' | 'findCredential' | 'listKeys' | 'revokeKey' | 'rotateKey' | 'touchKeys'> {
  const budgetsOf = async (ids: readonly string[]): Promise<Map<string, Budget>> => {
    if (ids.length === 0) return new Map();
    const rows = await database.selectFrom('budget').selectAll().where('id', 'in', ids).execute();
    return new Map(rows.map((row) => [row.id, decodeBudget(row)]));
  };
  return {
    async createKey(key) {
      await atomically(newKeyQueries(database, key));
    },
    async findCredential(by): Promise<Credential | null> {
      const column = 'hash' in by ? 'hash' : 'id';
      const value = 'hash' in by ? by.hash : by.keyId;
      const row = await database.selectFrom('api_key').selectAll().where(column, '=', value).executeTakeFirst();
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
      return rows.map((row) => decodeKey(row, row.budget_id === null ? null : (budgets.get(row.budget_id) ?? null)));
    },
    revokeKey: (id) =>
      atomically([
        database
          .updateTable('api_key')
          .set({ revoked_at: BigInt(Date.now()) })
          .where('id', '=', id)
          .where('revoked_at', 'is', null)
          .compile(),
        bumpVersion(database),
      ]),
    rotateKey: (id, secret) =>
      atomically([
        database
          .updateTable('api_key')
          .set({ hash: secret.hash, prefix: secret.prefix })
          .where('id', '=', id)
          .where('revoked_at', 'is', null)
          .compile(),
        bumpVersion(database),
      ]),
    async touchKeys(used) {
      for (const { keyId, atMs } of used) {
        await database.updateTable('api_key').set({ last_used_at: BigInt(atMs) }).where('id', '=', keyId).execute();
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
    queries.push(newBudget(database, { id: budgetId, accountId, kind: 'key', period, capped: true, grantedNano: amountNano }));
  }
  queries.push(bumpVersion(database));
  return queries;
}

function processRecords(
  database: Kysely<Tables>,
): Pick<Storage, 'requestStop' | 'pulse' | 'readSetting' | 'settleSetting' | 'writeSetting' | 'audit'> {
  const readSetting = async (name: string): Promise<string | null> => {
    const row = await database.selectFrom('setting').select('value').where('name', '=', name).executeTakeFirst();
    return row?.value ?? null;
  };
  return {
    async requestStop(accountId, idOrAlias) {
      const done = await database
        .updateTable('hold')
        .set({ stop_requested: 1n })
        .where('account_id', '=', accountId)
        .where((match) => match.or([match('id', '=', idOrAlias), match('alias', '=', idOrAlias)]))
        .executeTakeFirst();
      return done.numUpdatedRows > 0n;
    },
    async pulse(owner) {
      await database
        .insertInto('instance')
        .values({ owner, seen_at: BigInt(Date.now()) })
        .onConflict((conflict) => conflict.column('owner').doUpdateSet({ seen_at: BigInt(Date.now()) }))
        .execute();
      const version = await readSetting(versionSetting);
      const rows = await database
        .selectFrom('hold')
        .select('id')
        .where('owner', '=', owner)
        .where('stop_requested', '=', 1n)
        .execute();
      return { version: Number(version ?? 0), stopped: rows.map((row) => row.id) };
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
