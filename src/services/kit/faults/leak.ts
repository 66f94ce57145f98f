import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { ParameterError } from "../errors.ts";
import type { Answer } from "../ledger.ts";
import type { Parameter, ParameterValues } from "../parameters.ts";
import type { FaultMode, InjectionTime } from "./fault-mode.ts";
import { progressAt } from "./ramp.ts";

const KIB = 1_024;
/** All leaks together, held and still growing, in bytes. */
const MAX_LEAK_BYTES = 1_024 * KIB * KIB;
/** A growing leak grows in chunks of this size at most. */
const CHUNK_BYTES = 50 * KIB;
/** A growing leak that is smaller than ten chunks still grows in this many steps. */
const MIN_STEPS = 10;
const MAX_GROWING = 50;

/**
 * Chunks are cut from slabs of this size, because the C library maps what is larger than 32 MiB on its own: pages
 * count as resident only once a chunk fills them, and the whole slab goes back to the system when it is released.
 * Chunks allocated one by one stay in the heap's free lists after release, so that a mitigation would not show in
 * the resident size.
 */
const SLAB_BYTES = 33 * KIB * KIB;

/** A leak that grows chunk by chunk. */
export interface LeakPlan {
  readonly bytes: number;
  readonly chunks: number;
  readonly startMs: number;
  readonly durationMs: number;
}

/** Chunks of a plan that must be held at `nowMs`. @internal for its tests */
export function leakChunksDue(plan: LeakPlan, nowMs: number): number {
  return Math.floor(plan.chunks * progressAt(plan, nowMs) + 1e-9);
}

/** Size of a plan's chunk, in bytes; they add up to the plan's size. `index` counts from 0. @internal for its tests */
export function leakChunkBytes(plan: LeakPlan, index: number): number {
  return (
    Math.floor((plan.bytes * (index + 1)) / plan.chunks) - Math.floor((plan.bytes * index) / plan.chunks)
  );
}

/** Memory that is really allocated, filled and kept; calls add up. */
export class LeakFault implements FaultMode {
  readonly mode = "leak";
  readonly parameters: readonly Parameter[] = [
    { name: "kb", type: "number", unit: "kilobytes (1,024 bytes)", min: 1, max: MAX_LEAK_BYTES / KIB },
  ];
  #slabs: Buffer[] = [];
  #used = SLAB_BYTES;
  #chunks = 0;
  #heldBytes = 0;
  #growing: { readonly plan: LeakPlan; done: number }[] = [];

  inject(values: ParameterValues, time: InjectionTime): Answer {
    const kb = values.number("kb");
    const bytes = Math.round(kb * KIB);
    this.#refuseBeyondLimits(bytes, time.overMs > 0);
    if (time.overMs > 0) {
      const steps = Math.max(MIN_STEPS, Math.ceil(bytes / CHUNK_BYTES));
      const plan = { bytes, chunks: steps, startMs: time.nowMs, durationMs: time.overMs };
      this.#growing.push({ plan, done: 0 });
    } else {
      this.#hold(bytes);
    }
    return { leak_chunks: this.#chunks + this.#pendingChunks(), allocated_kb: kb };
  }

  /** Chunks held at present. */
  get chunks(): number {
    return this.#chunks;
  }

  /** Bytes held at present. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  advance(nowMs: number): void {
    for (const growth of this.#growing) {
      const due = leakChunksDue(growth.plan, nowMs);
      for (; growth.done < due; growth.done += 1) this.#hold(leakChunkBytes(growth.plan, growth.done));
    }
    this.#growing = this.#growing.filter((growth) => growth.done < growth.plan.chunks);
  }

  /** Gives everything back, to the system too. Answers how many chunks were held. */
  release(): number {
    const freed = this.#chunks;
    this.#slabs = [];
    this.#used = SLAB_BYTES;
    this.#chunks = 0;
    this.#heldBytes = 0;
    this.#growing = [];
    if (freed > 0) collectGarbage();
    return freed;
  }

  clear(): boolean {
    const active = this.#chunks > 0 || this.#growing.length > 0;
    this.release();
    return active;
  }

  describe(): Answer | undefined {
    if (this.#chunks === 0 && this.#growing.length === 0) return undefined;
    return { leak_chunks: this.#chunks, held_bytes: this.#heldBytes, pending_bytes: this.#pendingBytes() };
  }

  #refuseBeyondLimits(bytes: number, grows: boolean): void {
    const leftBytes = MAX_LEAK_BYTES - this.#heldBytes - this.#pendingBytes();
    if (bytes > leftBytes) {
      throw new ParameterError({
        error: "the leaks of this service may hold 1 GiB at most",
        parameter: "kb",
        expected: `at most ${Math.floor(leftBytes / KIB)} now, or POST /admin/mitigate first`,
      });
    }
    if (grows && this.#growing.length >= MAX_GROWING) {
      throw new ParameterError({
        error: `${MAX_GROWING} leaks are growing already`,
        parameter: "over",
        expected: "no over= until one of them is complete, or POST /admin/mitigate first",
      });
    }
  }

  /** Allocates and fills one chunk: a page counts as resident only once it is written. */
  #hold(bytes: number): void {
    if (this.#used + bytes > SLAB_BYTES) {
      this.#slabs.push(Buffer.alloc(Math.max(bytes, SLAB_BYTES)));
      this.#used = 0;
    }
    this.#slabs.at(-1)?.fill(1, this.#used, this.#used + bytes);
    this.#used += bytes;
    this.#chunks += 1;
    this.#heldBytes += bytes;
  }

  #pendingChunks(): number {
    return this.#growing.reduce((sum, growth) => sum + growth.plan.chunks - growth.done, 0);
  }

  #pendingBytes(): number {
    return this.#growing.reduce((sum, { plan, done }) => {
      return sum + plan.bytes - Math.floor((plan.bytes * done) / plan.chunks);
    }, 0);
  }
}

let gc: (() => void) | undefined;

/** Released slabs go back to the system only when the collector runs, and an idle process may not run it for long. */
function collectGarbage(): void {
  if (gc === undefined) {
    setFlagsFromString("--expose-gc");
    gc = runInNewContext("gc") as () => void;
    setFlagsFromString("--no-expose-gc");
  }
  gc();
}
