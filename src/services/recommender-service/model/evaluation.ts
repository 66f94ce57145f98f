import { type Random, seededRandom } from "../../kit/random.ts";
import type { Basket } from "./interactions.ts";
import { ItemModel } from "./item-model.ts";
import { trainItems } from "./training.ts";

/** How good a model is at guessing an interaction that it has not seen. */
export interface Quality {
  /** Share of the held-out interactions that were among the five recommendations, 0 to 1. */
  readonly hit_rate_at_5: number;
  /** The same for the five most popular products that are not in the history. */
  readonly baseline_hit_rate_at_5: number;
  /** Held-out interactions. */
  readonly held_out: number;
}

const TOP = 5;

/**
 * Leave-one-out test: of `holdOut` customers one interaction each, drawn at random, is hidden from the training and then
 * guessed from the others. `extra` baskets are trained on and never tested.
 */
export function evaluate(options: {
  readonly ids: readonly number[];
  readonly baskets: readonly Basket[];
  readonly extra: readonly Basket[];
  readonly holdOut: number;
  readonly seed: number;
}): Quality {
  const random = seededRandom(options.seed);
  const every = Math.max(1, Math.floor(options.baskets.length / Math.max(1, options.holdOut)));
  const tests: { readonly history: Basket; readonly hidden: number }[] = [];
  const known = options.baskets.map((basket, index) => {
    if (index % every !== 0 || tests.length >= options.holdOut || basket.length < 2) return basket;
    const { history, hidden } = hideOne(basket, random);
    tests.push({ history, hidden });
    return history;
  });
  const items = trainItems({ ids: options.ids, baskets: [...known, ...options.extra] });
  const model = new ItemModel(items);
  const ranking = items.toSorted((a, b) => b.customers - a.customers || a.id - b.id).map((item) => item.id);
  const hits = (guess: (history: Basket) => readonly number[]) =>
    tests.filter(({ history, hidden }) => guess(history).includes(hidden)).length;
  const share = (count: number) => (tests.length === 0 ? 0 : count / tests.length);
  return {
    hit_rate_at_5: share(hits((history) => model.recommend(history, TOP).map((item) => item.id))),
    baseline_hit_rate_at_5: share(
      hits((history) => ranking.filter((id) => !history.includes(id)).slice(0, TOP)),
    ),
    held_out: tests.length,
  };
}

function hideOne(basket: Basket, random: Random): { readonly history: Basket; readonly hidden: number } {
  const at = Math.floor(random() * basket.length);
  return { history: basket.filter((_, index) => index !== at), hidden: basket[at] as number };
}
