import { pickOne, type Random, seededRandom } from "../../kit/random.ts";
import type { Shop } from "./shop.ts";

/** Products one customer dealt with, in order of time, each once. */
export type Basket = readonly number[];

/** Tastes inside a category: who likes one product of a taste likes the others. */
const TASTES_PER_CATEGORY = 5;
const SHORTEST = 5;
const LONGEST = 16;
/** Shares of a customer's interactions; the rest follows general popularity. */
const FAVOURITE_SHARE = 0.6;
const COMPLEMENT_SHARE = 0.2;

interface Market {
  /** Products of each taste, most popular first. */
  readonly tastes: readonly (readonly number[])[];
  /** Index of the taste that goes with a taste, in another category. */
  readonly complements: readonly number[];
  /** All products, most popular first. */
  readonly ranking: readonly number[];
}

/**
 * Interactions of `users` simulated customers, the same for the same seed. Each has two favourite tastes, buys what goes
 * with them, and follows general popularity now and then; popularity falls off as a power of the rank.
 */
export function generateBaskets(options: {
  readonly shop: Shop;
  readonly users: number;
  readonly seed: number;
}): readonly Basket[] {
  const random = seededRandom(options.seed);
  const market = openMarket(options.shop, random);
  return Array.from({ length: options.users }, () => oneCustomer(market, random));
}

function openMarket(shop: Shop, random: Random): Market {
  const ranking = shuffled(shop.ids, random);
  const tasteOf = new Map(shop.ids.map((id) => [id, Math.floor(random() * TASTES_PER_CATEGORY)]));
  const tastes = shop.categories.flatMap((category) =>
    Array.from({ length: TASTES_PER_CATEGORY }, (_, taste) =>
      ranking.filter((id) => shop.categoryOf(id) === category && tasteOf.get(id) === taste),
    ),
  );
  const filled = tastes.filter((products) => products.length > 0);
  // Half a turn through the list: always another category, and never a taste's own complement.
  const complements = filled.map((_, index) => (index + Math.floor(filled.length / 2)) % filled.length);
  return { tastes: filled, complements, ranking };
}

function oneCustomer(market: Market, random: Random): Basket {
  const favourites = [0, 1].map(() => Math.floor(random() * market.tastes.length));
  const length = SHORTEST + Math.floor(random() * (LONGEST - SHORTEST + 1));
  const basket = new Set<number>();
  // A small taste can be exhausted, so the number of draws is bounded too.
  for (let draws = 0; basket.size < length && draws < length * 5; draws += 1) {
    const favourite = pickOne(random, favourites);
    const kind = random();
    if (kind < FAVOURITE_SHARE) basket.add(byRank(market.tastes[favourite] ?? market.ranking, random, 0.6));
    else if (kind < FAVOURITE_SHARE + COMPLEMENT_SHARE) {
      const complement = market.complements[favourite] ?? 0;
      basket.add(byRank(market.tastes[complement] ?? market.ranking, random, 0.6));
    } else basket.add(byRank(market.ranking, random, 0.8));
  }
  return [...basket];
}

/** Draws from a ranking with a density that falls as rank to the power of minus `exponent` (0 <= exponent < 1). */
function byRank(ranking: readonly number[], random: Random, exponent: number): number {
  const at = Math.floor(ranking.length * random() ** (1 / (1 - exponent)));
  return ranking[at] ?? pickOne(random, ranking);
}

function shuffled(items: readonly number[], random: Random): readonly number[] {
  const result = [...items];
  for (let last = result.length - 1; last > 0; last -= 1) {
    const other = Math.floor(random() * (last + 1));
    const [a, b] = [result[last] as number, result[other] as number];
    result[last] = b;
    result[other] = a;
  }
  return result;
}
