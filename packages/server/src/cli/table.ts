/** Columns of text. */

export interface Column {
  readonly title: string;
  /** Member of the row. */
  readonly of: string;
  readonly right?: boolean;
}

/** A value as a word: unknown is a dash, lists are joined, the rest as it is written. */
export function word(value: unknown): string {
  if (value === null || value === undefined) return '-';
  if (typeof value === 'string') return value;
  if (Array.isArray(value)) return value.map(word).join(',');
  return JSON.stringify(value);
}

/** A line of titles and one per row; unknown values are a dash. */
export function table(
  columns: readonly Column[],
  rows: readonly Readonly<Record<string, unknown>>[],
): string {
  const lines = [
    columns.map((column) => column.title),
    ...rows.map((row) => columns.map(({ of }) => word(row[of]))),
  ];
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => line[index]?.length ?? 0)));
  return lines
    .map((line) =>
      line
        .map((text, index) => {
          const width = widths[index] ?? 0;
          return columns[index]?.right === true ? text.padStart(width) : text.padEnd(width);
        })
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
