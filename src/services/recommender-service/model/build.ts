import { encodeModel } from "./artifact.ts";
import { trainingAttribution } from "./attribution.ts";
import { evaluate, type Quality } from "./evaluation.ts";
import { type Basket, generateBaskets } from "./interactions.ts";
import { ItemModel } from "./item-model.ts";
import { openShop, SHOP } from "./shop.ts";
import { trainItems } from "./training.ts";

/** Simulated customers, and the seed they come from, unless told otherwise. */
export const TRAINING = { users: 6_000, seed: 1, holdOut: 1_000 } as const;
/** Histories that the attribution of the training is taken from. */
const ATTRIBUTION_HISTORIES = 2_000;
/** A live history is short: a customer's last few products, not everything. */
const ATTRIBUTION_LENGTH = 5;

export interface BuiltModel {
  readonly artifact: Buffer;
  readonly quality: Quality;
}

/**
 * Trains a model from generated interactions and live baskets, and measures it. The figures come from a model that did
 * not see the held-out interactions; the one that is delivered saw all. Takes about half a second of processor time.
 */
export function buildModel(options: {
  readonly users: number;
  readonly seed: number;
  readonly live: readonly Basket[];
  readonly wallMs: number;
}): BuiltModel {
  const shop = openShop();
  const baskets = generateBaskets({ shop, users: options.users, seed: options.seed });
  const quality = evaluate({
    ids: shop.ids,
    baskets,
    extra: options.live,
    holdOut: Math.min(TRAINING.holdOut, options.users),
    seed: options.seed,
  });
  const items = trainItems({ ids: shop.ids, baskets: [...baskets, ...options.live] });
  const histories = baskets
    .slice(0, ATTRIBUTION_HISTORIES)
    .map((basket) => basket.slice(-ATTRIBUTION_LENGTH));
  const artifact = encodeModel({
    trained_at: new Date(options.wallMs).toISOString(),
    catalogue: { ...SHOP },
    baskets: { generated: baskets.length, live: options.live.length },
    quality,
    attribution_baseline: trainingAttribution({ model: new ItemModel(items), histories, shop }),
    items,
  });
  return { artifact, quality };
}
