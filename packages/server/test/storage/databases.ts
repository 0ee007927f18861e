/** Databases of a test file's own, on the server that global-setup.ts provides. */
import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { inject } from 'vitest';

export interface Database {
  readonly url: string;
  drop(): Promise<void>;
}

/** Null where no PostgreSQL could be started: give it to describe.skipIf. */
export const postgresUrl: string | null = inject('postgresUrl');

/** Runs SQL on the server itself, or on the database at `url`. */
export async function runSql(
  sql: string,
  url: string | null = postgresUrl,
): Promise<Record<string, unknown>[]> {
  if (url === null) throw new Error('no PostgreSQL here');
  const client = new Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

/** A new empty database; drop it when done, its sessions are ended. */
export async function freshDatabase(): Promise<Database> {
  if (postgresUrl === null) throw new Error('no PostgreSQL here');
  const name = `indoxhub_test_${randomBytes(6).toString('hex')}`;
  await runSql(`CREATE DATABASE ${name}`);
  const url = new URL(postgresUrl);
  url.pathname = `/${name}`;
  return {
    url: url.href,
    drop: async () => {
      await runSql(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    },
  };
}
