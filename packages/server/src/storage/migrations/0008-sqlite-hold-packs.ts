/**
 * Holds of calls that are not streams, on SQLite: all that one transaction opens are one row. It goes when the last of them
 * is closed; until then the usage rows say which are. A row for each cost as much as the record of the call itself.
 */
export const holdPacksSqlite = [
  `CREATE TABLE hold_pack (slot INTEGER PRIMARY KEY, holds TEXT NOT NULL) STRICT`,
];
