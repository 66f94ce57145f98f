import type { Signal } from "../../kernel/signal.ts";
import { formatNumber } from "../../kernel/text.ts";
import { type LowerBound, lowerBound, onBound } from "../shared/quantile.ts";
import type { Shape, VectorRow } from "./answer.ts";
import type { VectorAnswer } from "./client.ts";
import { type Member, type QueryGroup, rendered } from "./groups.ts";

/** Buckets are asked for again after so long: they change with a deployment, milliseconds. */
const REFRESH_MS = 300_000;
/** So many targets are asked for at once: each answers with one row a bucket. */
const MOST = 2000;

interface Known {
  /** Finite upper bounds, ascending, in the signal's unit; undefined: no buckets, as in a native histogram. */
  readonly bounds: readonly number[] | undefined;
  readonly atMs: number;
}

/** Upper bounds of the histograms behind quantiles, by query and target. */
export class Bounds {
  readonly #known = new Map<string, Known>();

  /** Targets of a group whose buckets are to be asked for now. */
  due(group: QueryGroup, monoMs: number): string[] {
    const due: string[] = [];
    if (group.template.buckets === undefined) return due;
    for (const key of group.members.keys()) {
      const known = this.#known.get(idOf(group, key));
      if (known === undefined || monoMs - known.atMs >= REFRESH_MS) due.push(key);
      if (due.length === MOST) break;
    }
    return due;
  }

  /** Asks for the buckets of some targets. @returns why they could not be read. */
  async read(
    group: QueryGroup,
    keys: readonly string[],
    asking: {
      readonly ask: (promql: string, shape: Shape) => Promise<VectorAnswer>;
      readonly monoMs: number;
    },
  ): Promise<string | undefined> {
    const { buckets } = group.template;
    if (buckets === undefined || keys.length === 0) return undefined;
    const identities = keys.map((key) => (group.members.get(key) as Member).identity);
    const shape = { names: group.names, also: "le" };
    const answer = await asking.ask(rendered(group, buckets.query, identities), shape);
    if (!answer.ok) return answer.detail;
    this.#take(group, keys, answer.rows, asking.monoMs);
    return undefined;
  }

  #take(group: QueryGroup, keys: readonly string[], rows: readonly VectorRow[], monoMs: number): void {
    const { factor } = group.template.buckets as NonNullable<QueryGroup["template"]["buckets"]>;
    const found = Map.groupBy(rows, ({ key }) => key);
    for (const key of keys) {
      const les = (found.get(key) ?? []).flatMap(({ also }) => (also === undefined ? [] : [boundOf(also)]));
      const finite = [...new Set(les.filter(Number.isFinite))].sort((a, b) => a - b);
      const bounds = les.length === 0 ? undefined : finite.map((bound) => bound * factor);
      // Nothing there yet: it is asked for again.
      if (found.has(key)) this.#known.set(idOf(group, key), { bounds, atMs: monoMs });
    }
  }

  /** Whether the target's histogram tells no quantile at all: it has only the open bucket. */
  onlyOpen(group: QueryGroup, key: string): boolean {
    return this.#known.get(idOf(group, key))?.bounds?.length === 0;
  }

  /** What a value stands for, where it is less than it looks. `unknown`: nothing is known of the buckets yet. */
  judge(group: QueryGroup, key: string, value: number, signal: Signal): LowerBound | undefined | "unknown" {
    const { buckets } = group.template;
    if (buckets === undefined) return undefined;
    const known = this.#known.get(idOf(group, key));
    if (known === undefined) return "unknown";
    const { bounds } = known;
    if (bounds === undefined || bounds.length === 0) return undefined;
    // A value on a bound may be that of an older list.
    if (onBound(value, bounds) || value > (bounds.at(-1) as number))
      this.#known.set(idOf(group, key), { bounds, atMs: Number.NEGATIVE_INFINITY });
    const { metric } = buckets;
    const shown = (number: number) => `${formatNumber(number)} ${signal.unit}`;
    return lowerBound(value, bounds, { slo: signal.thresholds.slo, metric, shown });
  }
}

function idOf({ names, template }: QueryGroup, key: string): string {
  return `${template.buckets?.query}\n${names.join(",")}\n${key}`;
}

function boundOf(le: string): number {
  return le === "+Inf" ? Number.POSITIVE_INFINITY : Number(le);
}
