/** What is wrong with the configuration, in sentences that name the place and never show a value. */

export interface Problem {
  /** `indoxhub.yaml:7:3 (providers.openai.base_url)`, `INDOXHUB_PORT`, `--port`. */
  readonly where: string;
  readonly sentence: string;
}

/** The configuration cannot be used; `message` has one line per problem. */
export class SettingsError extends Error {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super(problems.map(({ where, sentence }) => `${where}: ${sentence}`).join('\n'));
    this.name = 'SettingsError';
    this.problems = problems;
  }
}

/** A value that cannot be read; the caller knows where it stood. */
export class ValueError extends Error {}

/** The known name nearest to what was written, or null when none is near enough to be meant. */
export function nearest(written: string, known: Iterable<string>): string | null {
  const wanted = written.toLowerCase();
  let best: string | null = null;
  let bestDistance = Math.max(1, Math.floor(written.length / 3)) + 1;
  for (const name of known) {
    const distance = editDistance(wanted, name.toLowerCase());
    if (distance < bestDistance) {
      best = name;
      bestDistance = distance;
    }
  }
  return best;
}

/** `; did you mean "x"?`, or nothing. */
export function didYouMean(written: string, known: Iterable<string>): string {
  const name = nearest(written, known);
  return name === null ? '' : `; did you mean "${name}"?`;
}

/** Levenshtein's distance, where two neighbours swapped count as one. */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(
        (previous[j] ?? 0) + 1,
        (current[j - 1] ?? 0) + 1,
        (previous[j - 1] ?? 0) + (same ? 0 : 1),
      );
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, (before[j - 2] ?? 0) + 1);
      }
      current.push(cost);
    }
    before = previous;
    previous = current;
  }
  return previous[b.length] ?? 0;
}
