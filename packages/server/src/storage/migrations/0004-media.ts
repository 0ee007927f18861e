/** Generated media: who made what, and until when it is kept. The bytes are in a directory or a bucket. */
const columns = (int: string): string => `
  id text PRIMARY KEY, account_id text NOT NULL, kind text NOT NULL, content_type text NOT NULL, file_name text NOT NULL,
  bytes ${int} NOT NULL, sha256 text NOT NULL, created_at ${int} NOT NULL, expires_at ${int} NOT NULL`;

export const mediaSqlite = [
  `CREATE TABLE media (${columns('INTEGER')}) STRICT`,
  `CREATE INDEX media_expiry ON media (expires_at)`,
];

export const mediaPostgres = [
  `CREATE TABLE indoxhub.media (${columns('int8')})`,
  `CREATE INDEX media_expiry ON indoxhub.media (expires_at)`,
];
