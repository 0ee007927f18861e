/** Metric families made at scrape time from numbers kept elsewhere, in the form prom-client prints. */
import type { Metric } from 'prom-client';

type Labels = Record<string, string>;

/** Counts by upper bound; an observation is a search and two additions. */
export class Histogram {
  readonly bounds: readonly number[];
  /** One more than the bounds: the last is everything above. */
  readonly counts: number[];
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = Array.from({ length: bounds.length + 1 }, () => 0);
  }

  observe(value: number): void {
    let at = 0;
    while (at < this.bounds.length && value > (this.bounds[at] ?? Infinity)) at++;
    this.counts[at] = (this.counts[at] ?? 0) + 1;
    this.sum += value;
  }

  add(other: Histogram): void {
    for (const [at, count] of other.counts.entries()) this.counts[at] = (this.counts[at] ?? 0) + count;
    this.sum += other.sum;
  }
}

/** Sums by label values, kept until somebody scrapes. Labels come from bounded sets. */
export class Counts<L extends string> {
  private readonly names: readonly L[];
  private readonly sums = new Map<string, { labels: Labels; value: number }>();

  constructor(...names: readonly L[]) {
    this.names = names;
  }

  /** `values`: of the labels, in the order of their names. */
  add(values: readonly string[], by = 1): void {
    const key = values.join('\n');
    const sum = this.sums.get(key);
    if (sum === undefined) {
      const labels = Object.fromEntries(this.names.map((name, at) => [name, values[at] ?? '']));
      this.sums.set(key, { labels, value: by });
    } else sum.value += by;
  }

  rows(): { labels: Labels; value: number }[] {
    return [...this.sums.values()];
  }
}

/** prom-client's registry asks a metric for its name and its values, nothing else. */
function family(name: string, get: () => Promise<object>): Metric {
  return { name, get } as unknown as Metric;
}

function grouped<T, S>(
  rows: readonly { labels: Labels; item: T }[],
  start: () => S,
  add: (sum: S, item: T) => S,
) {
  const groups = new Map<string, { labels: Labels; sum: S }>();
  for (const { labels, item } of rows) {
    const key = JSON.stringify(labels);
    const group = groups.get(key) ?? { labels, sum: start() };
    group.sum = add(group.sum, item);
    groups.set(key, group);
  }
  return groups.values();
}

/** Rows of equal labels are added up. */
export function counterFamily(
  name: string,
  help: string,
  rows: () => { labels: Labels; value: number }[],
): Metric {
  return family(name, async () => {
    const items = rows().map(({ labels, value }) => ({ labels, item: value }));
    const values = [
      ...grouped(
        items,
        () => 0,
        (sum, value) => sum + value,
      ),
    ].map(({ labels, sum }) => ({ labels, value: sum }));
    return { name, help, type: 'counter', aggregator: 'sum', values };
  });
}

/** A value as it is now, or one for each of some labels. */
export function gaugeFamily(
  name: string,
  help: string,
  rows: () => { labels: Labels; value: number }[],
): Metric {
  return family(name, async () => ({ name, help, type: 'gauge', aggregator: 'sum', values: rows() }));
}

export function histogramFamily(
  name: string,
  help: string,
  bounds: readonly number[],
  rows: () => { labels: Labels; histogram: Histogram }[],
): Metric {
  return family(name, async () => {
    const items = rows().map(({ labels, histogram }) => ({ labels, item: histogram }));
    const groups = grouped(
      items,
      () => new Histogram(bounds),
      (sum, each) => (sum.add(each), sum),
    );
    const values = [...groups].flatMap(({ labels, sum: { counts, sum } }) => {
      let running = 0;
      const buckets = [...bounds, '+Inf'].map((le, at) => {
        running += counts[at] ?? 0;
        return { labels: { ...labels, le: String(le) }, value: running, metricName: `${name}_bucket` };
      });
      return [
        ...buckets,
        { labels, value: sum, metricName: `${name}_sum` },
        { labels, value: running, metricName: `${name}_count` },
      ];
    });
    return { name, help, type: 'histogram', aggregator: 'sum', values };
  });
}
