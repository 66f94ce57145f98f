import type { Reporter, TickReport } from "../../cycle/types.ts";
import type { Decision } from "../../kernel/decision.ts";
import { figure } from "../json.ts";
import type { Overview } from "../status.ts";
import { DecisionLog } from "./decision-log.ts";
import { type Row, type RowValues, rowOf, sparkOf } from "./fleet.ts";
import { type Column, type Points, Rings } from "./rings.ts";

/** One message to everyone who has the page open. */
export interface Frame {
  readonly id: string;
  /** `delta`: what changed; `reset`: what was known is void, ask for the fleet again. */
  readonly event: "delta" | "reset";
  /** JSON. */
  readonly data: string;
}

/** What a `delta` says: what changed since the message before. */
export interface Delta {
  readonly cycle: boolean;
  /** Position in the fleet's `series`, then the values of its row. */
  readonly rows: readonly (readonly [number, ...RowValues])[];
  readonly parts: Partial<Overview>;
}

/** Messages that are kept for those who come back, and how large they may be together, characters. */
const MAX_FRAMES = 20;
const MAX_FRAME_CHARS = 2_000_000;

/**
 * What the status page lives on: the recent past of every series, the log of decisions, and the fleet as it is now with
 * what changes from cycle to cycle. Everything bounded. A reporter of the loop like any other.
 */
export class PageFeed implements Reporter {
  readonly rings = new Rings();
  readonly log = new DecisionLog();
  readonly #cycleMs: () => number;
  readonly #overview: () => Overview;
  readonly #run: string;
  readonly #listeners = new Set<(frame: Frame) => void>();
  #frames: Frame[] = [];
  #sequence = 0;
  #decisions: readonly Decision[] = [];
  /** What the listeners know; undefined when there are none. */
  #sent: { rows: string[]; parts: Map<string, string> } | undefined;

  /**
   * @param given.overview the status without its series; changes of its parts are sent
   * @param given.run differs from run to run of the monitor
   */
  constructor(given: {
    readonly cycleMs: () => number;
    readonly overview: () => Overview;
    readonly run: string;
  }) {
    this.#cycleMs = given.cycleMs;
    this.#overview = given.overview;
    this.#run = given.run;
  }

  cycle(report: TickReport): void {
    this.rings.record(report, this.#cycleMs());
    this.log.record(report);
    const sameSeries =
      report.decisions.length === this.#decisions.length &&
      report.decisions.every((d, i) => {
        const old = this.#decisions[i];
        return (
          d.target === old?.target && d.signal === old.signal && d.slo === old.slo && d.limit === old.limit
        );
      });
    this.#decisions = report.decisions;
    if (sameSeries) this.#publish(true);
    else this.#reset();
  }

  action(): void {}

  reconciled(): void {}

  notice(): void {
    // A cycle publishes its own; what a person does between two cycles is published at once by `refresh`.
  }

  /** Something other than a cycle changed what the page shows, e.g. a person paused. */
  refresh(): void {
    this.#publish(false);
  }

  /** Everything the page shows first. */
  fleet() {
    const byTarget = Map.groupBy(this.#decisions, (d) => d.target);
    return {
      id: this.#id(),
      /** Names of the values in each row. */
      row: this.#decisions.slice(0, 1).flatMap((d) => Object.keys(rowOf(d)) as (keyof Row)[]),
      series: this.#decisions.map((d) => ({
        ...{ target: d.target, metric: d.signal, slo: d.slo, limit: d.limit },
        row: Object.values(rowOf(d)) as RowValues,
      })),
      sparks: Object.fromEntries([...byTarget].map(([name, own]) => [name, sparkOf(this.rings, own)])),
      parts: this.#overview(),
    };
  }

  /**
   * The recent past of a target's signals, or of one of them; only cycles after `after`.
   * @returns undefined when the target or signal is not known
   */
  series(query: { target: string; signal?: string | undefined; after: number }) {
    const { target, signal, after } = query;
    const signals = signal === undefined ? this.rings.signalsOf(target) : [signal];
    const found = signals.flatMap((name) => this.rings.read(target, name, after) ?? []);
    if (found.length === 0) return undefined;
    return { target, newest: this.rings.newest, kept: this.rings.capacity, series: found.map(pastOf) };
  }

  /** Frames after `id`, or undefined when some of them are gone. */
  since(id: string): readonly Frame[] | undefined {
    if (id === this.#id()) return [];
    const at = this.#frames.findIndex((frame) => frame.id === id);
    if (at >= 0) return this.#frames.slice(at + 1);
    const before = this.#frames[0];
    return before !== undefined && previousOf(before.id) === id ? this.#frames : undefined;
  }

  /** Calls `listener` with every frame from now on. @returns how to stop */
  subscribe(listener: (frame: Frame) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size > 0) return;
      this.#sent = undefined;
      this.#frames = [];
    };
  }

  #id(): string {
    return `${this.#run}-${this.#sequence}`;
  }

  #reset(): void {
    this.#sequence += 1;
    this.#sent = undefined;
    this.#frames = [];
    this.#send({ id: this.#id(), event: "reset", data: "{}" });
  }

  #publish(cycle: boolean): void {
    this.#sequence += 1;
    if (this.#listeners.size === 0) return;
    const before = this.#sent;
    const rows = this.#decisions.map((d) => JSON.stringify(Object.values(rowOf(d))));
    const parts = new Map(
      Object.entries(this.#overview()).map(([name, part]) => [name, JSON.stringify(part)]),
    );
    this.#sent = { rows, parts };
    const changedRows = rows.flatMap((row, i) => (before?.rows[i] === row ? [] : [`[${i},${row.slice(1)}`]));
    const changedParts = [...parts].filter(([name, part]) => before?.parts.get(name) !== part);
    const data = `{"cycle":${cycle},"rows":[${changedRows.join(",")}],"parts":{${changedParts
      .map(([name, part]) => `${JSON.stringify(name)}:${part}`)
      .join(",")}}}`;
    this.#keep({ id: this.#id(), event: "delta", data });
  }

  #keep(frame: Frame): void {
    this.#frames.push(frame);
    let chars = this.#frames.reduce((sum, { data }) => sum + data.length, 0);
    while (this.#frames.length > MAX_FRAMES || (chars > MAX_FRAME_CHARS && this.#frames.length > 1))
      chars -= this.#frames.shift()?.data.length ?? 0;
    this.#send(frame);
  }

  #send(frame: Frame): void {
    for (const listener of this.#listeners) listener(frame);
  }
}

function previousOf(id: string): string {
  const at = id.lastIndexOf("-");
  return `${id.slice(0, at)}-${Number(id.slice(at + 1)) - 1}`;
}

/** One series as it is sent: lists of one length, oldest first. */
function pastOf({ signal, slo, limit, cycles, atMs, columns, reasons, inRisk, acted }: Points) {
  const figures = Object.fromEntries(
    Object.entries(columns).map(([name, values]) => [name, values.map((v) => figure(v))]),
  ) as Record<Column, (number | null)[]>;
  return {
    ...{ metric: signal, slo, limit, cycle: cycles, at: atMs },
    ...figures,
    ...{ decision: reasons, in_risk_state: inRisk, acted },
  };
}
