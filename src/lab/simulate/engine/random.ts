import { createRandom as createNumbers } from "../../bench/decisions/random.ts";

export { hashText } from "../../bench/decisions/random.ts";

/** Seeded numbers: the same seed and label give the same sequence on every machine. */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
  /** Uniform in [low, high). */
  between(low: number, high: number): number;
  /** Whole number in [low, high], both included. */
  whole(low: number, high: number): number;
  chance(p: number): boolean;
  pick<T>(from: readonly T[]): T;
  /** A new order; `from` stays. */
  shuffled<T>(from: readonly T[]): T[];
  /** An independent sequence of its own, so that what is drawn here does not depend on how much is drawn there. */
  fork(label: string): Random;
}

/** @param label fixes the sequence. */
export function createRandom(label: string): Random {
  const { next, between } = createNumbers(label);
  const whole = (low: number, high: number) => low + Math.floor(next() * (high - low + 1));
  return {
    next,
    whole,
    between,
    chance: (p) => next() < p,
    pick(from) {
      const found = from[Math.floor(next() * from.length)];
      if (found === undefined) throw new RangeError("nothing to pick from");
      return found;
    },
    shuffled(from) {
      const order = [...from];
      for (let i = order.length - 1; i > 0; i -= 1) {
        const j = whole(0, i);
        [order[i], order[j]] = [order[j] as (typeof order)[number], order[i] as (typeof order)[number]];
      }
      return order;
    },
    fork: (own) => createRandom(`${label}/${own}`),
  };
}

/** A number in [-1, 1) that only depends on its arguments: noise that can be looked up at any past time. */
export function noiseAt(seed: number, series: number, step: number): number {
  let h = Math.imul(seed ^ Math.imul(series + 1, 0x9e3779b1), 0x85ebca6b) ^ Math.imul(step + 1, 0xc2b2ae35);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  h = Math.imul(h ^ (h >>> 12), 0x297a2d39);
  h ^= h >>> 15;
  return (h >>> 0) / 2147483648 - 1;
}
