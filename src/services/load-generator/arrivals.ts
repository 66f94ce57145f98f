import type { Random } from "../kit/random.ts";
import { nextGapMs } from "./mix.ts";

/**
 * Calls `arrive` at the moments of a Poisson process, whatever becomes of earlier arrivals (open loop).
 * @returns what stops it.
 */
export function startArrivals(options: {
  readonly random: Random;
  readonly ratePerSecond: number;
  readonly arrive: () => void;
}): () => void {
  const gap = () => nextGapMs(options.random, options.ratePerSecond);
  let dueMs = performance.now() + gap();
  let timer = setTimeout(wake, untilDue());

  function untilDue(): number {
    return Math.max(0, dueMs - performance.now());
  }

  function wake(): void {
    const nowMs = performance.now();
    for (; dueMs <= nowMs; dueMs += gap()) options.arrive();
    timer = setTimeout(wake, untilDue());
  }

  return () => clearTimeout(timer);
}
