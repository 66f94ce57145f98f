import type { ExpositionSample } from "../../../monitor/sources/scrape/parser.ts";

interface Point {
  readonly atMs: number;
  readonly value: number;
}

interface Series {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Ascending in time. */
  readonly points: Point[];
}

/** One element of a vector: labels and a value. */
export interface Element {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** What was scraped in the last while, for rates over a window. */
export interface Scrapes {
  /** Takes one page. Times are monotonic milliseconds. */
  add(job: string, samples: readonly ExpositionSample[], atMs: number): void;
  /** Newest value of each series of a metric; one that has not been scraped for `staleMs` is gone. */
  latest(name: string, nowMs: number): readonly Element[];
  /** What each series of a counter gained in the window; a series seen only once there is absent. */
  increase(name: string, windowMs: number, nowMs: number): readonly Element[];
}

/** Keeps samples for `keepMs`. */
export function createScrapes(options: { readonly keepMs: number; readonly staleMs: number }): Scrapes {
  const series = new Map<string, Series>();
  const named = (name: string) => [...series.values()].filter((one) => one.name === name);
  return {
    add(job, samples, atMs) {
      for (const { name, labels: own, value } of samples) {
        const labels = { ...Object.fromEntries(own), job };
        const key = `${name} ${keyOf(labels)}`;
        const known: Series = series.get(key) ?? { name, labels, points: [] };
        series.set(key, known);
        known.points.push({ atMs, value });
        while ((known.points[0]?.atMs ?? atMs) < atMs - options.keepMs) known.points.shift();
      }
    },
    latest: (name, nowMs) =>
      named(name).flatMap(({ labels, points }) => {
        const last = points.at(-1);
        return last === undefined || nowMs - last.atMs > options.staleMs
          ? []
          : [{ labels, value: last.value }];
      }),
    increase: (name, windowMs, nowMs) =>
      named(name).flatMap(({ labels, points }) => {
        const seen = points.filter(({ atMs }) => atMs >= nowMs - windowMs);
        return seen.length < 2 ? [] : [{ labels, value: gained(seen) }];
      }),
  };
}

/** A counter that fell was started again from zero. */
function gained(points: readonly Point[]): number {
  return points.reduce((sum, { value }, index) => {
    const before = points[index - 1]?.value;
    return before === undefined ? sum : sum + (value >= before ? value - before : value);
  }, 0);
}

/** The labels as one text, whatever their order. */
export function keyOf(labels: Readonly<Record<string, string>>): string {
  return JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** `AGGREGATE by (names) (vector)`. */
export function by(
  names: readonly string[],
  vector: readonly Element[],
  aggregate: (values: readonly number[]) => number,
): Element[] {
  const groups = Map.groupBy(vector, ({ labels }) =>
    keyOf(Object.fromEntries(names.map((name) => [name, labels[name] ?? ""]))),
  );
  return [...groups].map(([key, members]) => ({
    labels: Object.fromEntries((JSON.parse(key) as [string, string][]).filter(([, value]) => value !== "")),
    value: aggregate(members.map(({ value }) => value)),
  }));
}

export const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
export const max = (values: readonly number[]): number => Math.max(...values);
