/**
 * The worker thread that owns the SQLite file: an fsync here never blocks the event loop that serves requests.
 * One message in, one message out, in order.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { bindable } from './bindable.ts';
import { SqliteLedger } from './sqlite-ledger.ts';
import type { Statement } from './executor.ts';
import type { WorkerRequest, WorkerResponse } from './sqlite-messages.ts';
import { packResults, unpackOperations } from './sqlite-packing.ts';
import { WordReader, WordWriter } from './sqlite-words.ts';

if (parentPort === null) throw new Error('sqlite-worker runs as a worker thread');
const port = parentPort;
const { path } = workerData as { path: string };

const statementCache = 200;
const cached = new Map<string, StatementSync>();
const reader = new WordReader();
const words = new WordWriter();
let ledger: SqliteLedger | null = null;
const database = new DatabaseSync(path);

function statementOf(sql: string): StatementSync {
  let statement = cached.get(sql);
  if (statement === undefined) {
    statement = database.prepare(sql);
    statement.setReadBigInts(true);
    if (cached.size >= statementCache) cached.clear();
    cached.set(sql, statement);
  }
  return statement;
}

/** All of them or none; none, too, when the first changes nothing. Answers what the first changed. */
function transaction(statements: readonly Statement[]): bigint {
  database.exec('BEGIN IMMEDIATE');
  try {
    let first = 0n;
    for (const [index, { sql, parameters }] of statements.entries()) {
      const changes = BigInt(statementOf(sql).run(...parameters.map(bindable)).changes);
      if (index === 0) first = changes;
      if (first === 0n) break;
    }
    database.exec(first === 0n ? 'ROLLBACK' : 'COMMIT');
    return first;
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  } finally {
    for (const { sql } of statements) changed(sql);
  }
}

/** The ledger keeps rows of these in memory. */
const keptTables = /\b(?:budget|rate_window|setting)\b/;

/** The statement was run, and may have changed what the ledger keeps. */
function changed(sql: string): void {
  if (keptTables.test(sql)) ledger?.forgetBudgets();
}

function answer(request: WorkerRequest): WorkerResponse {
  switch (request.kind) {
    case 'open':
      // WAL with FULL fsync: a committed row survives kill -9 and power loss. EXCLUSIVE: one process by lock.
      database.exec('PRAGMA locking_mode = EXCLUSIVE');
      database.exec('PRAGMA journal_mode = WAL');
      database.exec('PRAGMA synchronous = FULL');
      database.exec('PRAGMA temp_store = MEMORY');
      database.exec('BEGIN IMMEDIATE');
      database.exec('COMMIT');
      return { id: request.id };
    case 'commit':
      ledger ??= new SqliteLedger(database);
      return {
        id: request.id,
        results: packResults(words, ledger.run(unpackOperations(reader, request.operations), Date.now())),
      };
    case 'query': {
      const statement = statementOf(request.sql);
      const parameters = request.parameters.map(bindable);
      if (statement.columns().length > 0) {
        const rows = statement.all(...parameters);
        if (!/^\s*select/i.test(request.sql)) changed(request.sql);
        return { id: request.id, rows };
      }
      const { changes } = statement.run(...parameters);
      changed(request.sql);
      return { id: request.id, rows: [], changes: BigInt(changes) };
    }
    case 'read':
      return {
        id: request.id,
        sets: request.statements.map(({ sql, parameters }) =>
          statementOf(sql).all(...parameters.map(bindable)),
        ),
      };
    case 'transaction':
      return { id: request.id, changes: transaction(request.statements) };
    default:
      database.close();
      return { id: request.id };
  }
}

/** SQLite's primary result codes after which the engine cannot be used now: busy, read-only, I/O, full, cannot open. */
const unavailable = new Set([5, 8, 10, 13, 14]);

port.on('message', (request: WorkerRequest) => {
  let response: WorkerResponse;
  try {
    response = answer(request);
  } catch (error) {
    const failure = error as Error & { errcode?: number };
    const code = failure.errcode === undefined ? -1 : failure.errcode & 0xff;
    response = { id: request.id, error: failure.message, code, unavailable: unavailable.has(code) };
    if (database.isOpen && database.isTransaction && request.kind === 'commit') database.exec('ROLLBACK');
  }
  port.postMessage(response);
});
