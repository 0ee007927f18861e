/** Every attempt to deliver a job's webhook. `next_at`: when the next was planned; null: no more. */
const columns = (int: string): string => `
  job_id text NOT NULL, attempt ${int} NOT NULL, at ${int} NOT NULL, status ${int}, error text, next_at ${int},
  PRIMARY KEY (job_id, attempt)`;

export const webhookDeliveriesSqlite = [
  `CREATE TABLE webhook_delivery (${columns('INTEGER')}) STRICT, WITHOUT ROWID`,
];

export const webhookDeliveriesPostgres = [`CREATE TABLE indoxhub.webhook_delivery (${columns('int8')})`];
