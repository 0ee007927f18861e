/** A statement that writes many rows at once: running one costs more than most of the rows it writes. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { bindable, type Bindable } from './bindable.ts';

/** Rows a statement, largest first; any number of rows is a sum of them. */
const sizes = [32, 16, 8, 4, 2, 1];

/** Collects rows until `flush`. `sqlOf` writes the statement for so many rows of `width` values each. */
export class BatchedStatement {
  private readonly database: DatabaseSync;
  private readonly sqlOf: (rows: number) => string;
  private readonly width: number;
  private readonly prepared = new Map<number, StatementSync>();
  private values: Bindable[] = [];

  constructor(database: DatabaseSync, width: number, sqlOf: (rows: number) => string) {
    this.database = database;
    this.width = width;
    this.sqlOf = sqlOf;
  }

  add(row: readonly unknown[]): void {
    if (row.length !== this.width) throw new TypeError(`a row of ${row.length} values, not ${this.width}`);
    for (const value of row) this.values.push(bindable(value));
  }

  flush(): void {
    const { values, width } = this;
    let at = 0;
    for (const rows of sizes) {
      const taken = rows * width;
      for (; values.length - at >= taken; at += taken) {
        this.statement(rows).run(
          ...(at === 0 && values.length === taken ? values : values.slice(at, at + taken)),
        );
      }
    }
    this.forget();
  }

  /** Drops what was collected. */
  forget(): void {
    if (this.values.length > 0) this.values = [];
  }

  private statement(rows: number): StatementSync {
    let statement = this.prepared.get(rows);
    if (statement === undefined) {
      statement = this.database.prepare(this.sqlOf(rows));
      this.prepared.set(rows, statement);
    }
    return statement;
  }
}

/** `INSERT INTO table (columns) VALUES …` of many rows. A conflict ends the transaction. */
export function insertMany(
  database: DatabaseSync,
  table: string,
  columns: readonly string[],
): BatchedStatement {
  const row = `(${columns.map(() => '?').join(', ')})`;
  return new BatchedStatement(
    database,
    columns.length,
    (rows) =>
      `INSERT OR ROLLBACK INTO ${table} (${columns.join(', ')}) VALUES ${Array.from({ length: rows }, () => row).join(', ')}`,
  );
}

/** `DELETE FROM table WHERE column IN …`. */
export function deleteMany(database: DatabaseSync, table: string, column: string): BatchedStatement {
  return new BatchedStatement(
    database,
    1,
    (rows) =>
      `DELETE FROM ${table} WHERE ${column} IN (${Array.from({ length: rows }, () => '?').join(', ')})`,
  );
}
