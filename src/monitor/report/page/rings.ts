import type { TickReport } from "../../cycle/types.ts";
import { type Decision, namedVerdict } from "../../kernel/decision.ts";
import type { Observation } from "../../kernel/observation.ts";
import { seriesKey } from "../../kernel/target.ts";

/** What is kept of a series in each cycle; NaN where it is unknown. `age` is that of the sample, milliseconds. */
const COLUMNS = ["observed", "age", "linear", "trend", "low", "high", "probability"] as const;
export type Column = (typeof COLUMNS)[number];

/** Longest past that is kept, milliseconds, and most cycles of it. */
const SPAN_MS = 2 * 3_600_000;
const MAX_CYCLES = 1440;
/** All series together, bytes: with very many series the past is shorter. */
const MAX_BYTES = 32 * 1024 * 1024;
const BYTES_PER_POINT = 4 * COLUMNS.length + 2;

const RISK = 1;
const ACTED = 2;

/** The newest past of one series, oldest first. */
export interface Points {
  readonly target: string;
  readonly signal: string;
  readonly slo: number;
  readonly limit: number;
  /** Number of each cycle; grows by one a cycle. */
  readonly cycles: readonly number[];
  /** Milliseconds since the Unix epoch. */
  readonly atMs: readonly number[];
  readonly columns: Readonly<Record<Column, readonly number[]>>;
  readonly reasons: readonly string[];
  readonly inRisk: readonly boolean[];
  readonly acted: readonly boolean[];
}

interface Ring {
  readonly target: string;
  readonly signal: string;
  slo: number;
  limit: number;
  /** One stretch of `capacity` a column. */
  values: Float32Array;
  reasons: Uint8Array;
  flags: Uint8Array;
  lastCycle: number;
}

/**
 * The recent past of every series, in typed arrays of a fixed size: two hours at the usual cycle, less where cycles are
 * very short or series very many.
 */
export class Rings {
  readonly #rings = new Map<string, Ring>();
  /** Names of reasons by their number; 0 is unknown. */
  readonly #reasons: string[] = [""];
  readonly #reasonNumbers = new Map<string, number>();
  #capacity = 0;
  #times = new Float64Array(0);
  /** Number of the next cycle, and of the oldest that is kept. */
  #next = 0;
  #oldest = 0;

  /** Number of the newest cycle; -1 before the first. */
  get newest(): number {
    return this.#next - 1;
  }

  /** Cycles that are kept at most. */
  get capacity(): number {
    return this.#capacity;
  }

  /** @param cycleMs length of a cycle as it is configured now. */
  record(report: Pick<TickReport, "at" | "decisions" | "observations">, cycleMs: number): void {
    const { decisions, observations } = report;
    this.#resize(capacityFor(decisions.length, cycleMs));
    const cycle = this.#next++;
    const slot = cycle % this.#capacity;
    this.#times[slot] = report.at.wallMs;
    for (const ring of this.#rings.values()) this.#clear(ring, slot);
    decisions.forEach((decision, i) => {
      // Decisions are in the order of the plan, as observations are.
      const seen = decisions.length === observations.length ? observations[i] : undefined;
      this.#put({ decision, seen, cycle, slot, nowMs: report.at.wallMs });
    });
    for (const [key, ring] of this.#rings)
      if (cycle - ring.lastCycle >= this.#capacity) this.#rings.delete(key);
  }

  /** The past of one series; only cycles after `afterCycle`. Undefined when it is not known. */
  read(target: string, signal: string, afterCycle = -1): Points | undefined {
    const ring = this.#rings.get(seriesKey(target, signal));
    return ring === undefined ? undefined : this.#points(ring, afterCycle);
  }

  /** Signals of a target, in the order in which they were first seen. */
  signalsOf(target: string): string[] {
    return [...this.#rings.values()].filter((r) => r.target === target).map((r) => r.signal);
  }

  /** Every series, one after another. */
  *all(): Generator<Points> {
    for (const ring of this.#rings.values()) yield this.#points(ring, -1);
  }

  /** The last `count` values of a column, oldest first, NaN where unknown. */
  tail(target: string, signal: string, column: Column, count: number): number[] {
    const ring = this.#rings.get(seriesKey(target, signal));
    const first = Math.max(this.#oldest, this.#next - Math.min(count, this.#capacity));
    const offset = COLUMNS.indexOf(column) * this.#capacity;
    return Array.from({ length: this.#next - first }, (_, i) =>
      ring === undefined ? Number.NaN : (ring.values[offset + ((first + i) % this.#capacity)] as number),
    );
  }

  #points(ring: Ring, afterCycle: number): Points {
    const capacity = this.#capacity;
    const slots: number[] = [];
    const cycles: number[] = [];
    // Backwards, so that a wall clock that was set back hides what it contradicts and no more.
    let before = Number.POSITIVE_INFINITY;
    const oldest = Math.max(this.#oldest, this.#next - capacity, afterCycle + 1);
    for (let cycle = this.#next - 1; cycle >= oldest; cycle--) {
      const slot = cycle % capacity;
      const at = this.#times[slot] as number;
      if (at >= before) continue;
      before = at;
      slots.push(slot);
      cycles.push(cycle);
    }
    slots.reverse();
    cycles.reverse();
    const column = (name: Column) => {
      const offset = COLUMNS.indexOf(name) * capacity;
      return slots.map((slot) => ring.values[offset + slot] as number);
    };
    const has = (flag: number) => slots.map((slot) => ((ring.flags[slot] as number) & flag) !== 0);
    return {
      target: ring.target,
      signal: ring.signal,
      slo: ring.slo,
      limit: ring.limit,
      cycles,
      atMs: slots.map((slot) => this.#times[slot] as number),
      columns: Object.fromEntries(COLUMNS.map((name) => [name, column(name)])) as Record<Column, number[]>,
      reasons: slots.map((slot) => this.#reasons[ring.reasons[slot] as number] ?? ""),
      inRisk: has(RISK),
      acted: has(ACTED),
    };
  }

  #put(given: {
    decision: Decision;
    seen: Observation | undefined;
    cycle: number;
    slot: number;
    nowMs: number;
  }): void {
    const { decision: d, seen, cycle, slot, nowMs } = given;
    const ring = this.#ringOf(d);
    Object.assign(ring, { slo: d.slo, limit: d.limit, lastCycle: cycle });
    const linear = d.verdicts.find((v) => v.predictor === "linear")?.forecast;
    const trend = d.verdicts.find((v) => v.predictor === "trend")?.forecast;
    const named = namedVerdict(d);
    const row: Record<Column, number | undefined> = {
      observed: d.current,
      age: seen?.status === "ok" ? nowMs - seen.timestampMs : undefined,
      linear: linear?.value,
      trend: trend?.value,
      low: trend?.low,
      high: trend?.high,
      probability: named?.forecast && named.probability,
    };
    COLUMNS.forEach((name, c) => {
      ring.values[c * this.#capacity + slot] = row[name] ?? Number.NaN;
    });
    ring.reasons[slot] = this.#numberOf(d.reason);
    ring.flags[slot] = (d.inRisk ? RISK : 0) | (d.act ? ACTED : 0);
  }

  #ringOf({ target, signal, slo, limit }: Decision): Ring {
    const key = seriesKey(target, signal);
    const known = this.#rings.get(key);
    if (known !== undefined) return known;
    const made = { target, signal, slo, limit, lastCycle: -1, ...emptyOf(this.#capacity) };
    this.#rings.set(key, made);
    return made;
  }

  #clear(ring: Ring, slot: number): void {
    for (let c = 0; c < COLUMNS.length; c++) ring.values[c * this.#capacity + slot] = Number.NaN;
    ring.reasons[slot] = 0;
    ring.flags[slot] = 0;
  }

  #numberOf(reason: string): number {
    const known = this.#reasonNumbers.get(reason);
    if (known !== undefined) return known;
    // A byte holds them: there are some forty.
    if (this.#reasons.length > 255) return 0;
    const number = this.#reasons.push(reason) - 1;
    this.#reasonNumbers.set(reason, number);
    return number;
  }

  /** The newest cycles move over; the others are gone. */
  #resize(capacity: number): void {
    const before = this.#capacity;
    if (capacity === before) return;
    const kept = Math.min(before, capacity, this.#next - this.#oldest);
    const times = new Float64Array(capacity);
    const moves = Array.from({ length: kept }, (_, i) => this.#next - kept + i);
    for (const cycle of moves) times[cycle % capacity] = this.#times[cycle % before] as number;
    for (const ring of this.#rings.values()) {
      const { values, reasons, flags } = emptyOf(capacity);
      for (const cycle of moves) {
        const [from, to] = [cycle % before, cycle % capacity];
        for (let c = 0; c < COLUMNS.length; c++)
          values[c * capacity + to] = ring.values[c * before + from] as number;
        reasons[to] = ring.reasons[from] as number;
        flags[to] = ring.flags[from] as number;
      }
      Object.assign(ring, { values, reasons, flags });
    }
    this.#times = times;
    this.#capacity = capacity;
    this.#oldest = this.#next - kept;
  }
}

function emptyOf(capacity: number): Pick<Ring, "values" | "reasons" | "flags"> {
  return {
    values: new Float32Array(capacity * COLUMNS.length).fill(Number.NaN),
    reasons: new Uint8Array(capacity),
    flags: new Uint8Array(capacity),
  };
}

/** Cycles that are kept of so many series, at least 2. @internal for its tests */
export function capacityFor(series: number, cycleMs: number): number {
  const wanted = Math.min(MAX_CYCLES, Math.ceil(SPAN_MS / cycleMs));
  const room = Math.floor(MAX_BYTES / BYTES_PER_POINT / Math.max(1, series));
  return Math.max(2, Math.min(wanted, room));
}
