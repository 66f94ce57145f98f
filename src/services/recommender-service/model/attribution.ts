import type { ServiceClock } from "../../kit/clock.ts";
import type { ItemModel } from "./item-model.ts";
import type { Shop } from "./shop.ts";

/** How the explanations spread over the catalogue's categories: shares that add up to 1. */
export type Attribution = Readonly<Record<string, number>>;

/** Share of explanations that name nothing the shop sells, or no usable weight. No training has any. */
const UNATTRIBUTABLE = "unattributable";

/** The newest explained answers that are compared with the training … */
const WINDOW_ANSWERS = 200;
/** … as far as they are not older than this, milliseconds. */
const WINDOW_MS = 300_000;
/** Explained answers below which the comparison would be mostly noise, and is not made. */
const MIN_EXPLAINED = 100;

/**
 * Jensen-Shannon distance of two distributions (square root of the divergence to base 2; Endres and Schindelin, A new
 * metric for probability distributions, 2003): 0 for equal ones, 1 for those that share nothing, symmetric. Each side is
 * brought to a sum of 1; a side without any mass is at distance 1 from one with mass.
 * @internal for its tests
 */
export function attributionDistance(left: Attribution, right: Attribution): number {
  const names = new Set([...Object.keys(left), ...Object.keys(right)]);
  const leftSum = sumOf(left);
  const rightSum = sumOf(right);
  if (leftSum === 0 || rightSum === 0) return leftSum === rightSum ? 0 : 1;
  let divergence = 0;
  for (const name of names) {
    const p = (left[name] ?? 0) / leftSum;
    const q = (right[name] ?? 0) / rightSum;
    // Written so that no half of a tiny share becomes zero.
    if (p > 0) divergence += (p / 2) * Math.log2((2 * p) / (p + q));
    if (q > 0) divergence += (q / 2) * Math.log2((2 * q) / (p + q));
  }
  // Rounding can leave a tiny negative sum, or one a hair above 1.
  return Math.sqrt(Math.min(1, Math.max(0, divergence)));
}

/**
 * Spreads one answer's explanation over the categories of the products it names; the shares add up to 1. Undefined when
 * the answer rests on popularity alone. Takes any value: what it cannot read is unattributable.
 * @internal for its tests
 */
export function attributionOf(items: unknown, shop: Shop): Attribution | undefined {
  const mass: Record<string, number> = {};
  for (const item of Array.isArray(items) ? items : [undefined]) {
    const parts = readable(item, shop);
    // A damaged item says nothing of its weight, so that the answer as a whole cannot be attributed.
    if (parts === undefined) return { [UNATTRIBUTABLE]: 1 };
    for (const { id, contribution } of parts) {
      const name = shop.categoryOf(id) ?? UNATTRIBUTABLE;
      mass[name] = (mass[name] ?? 0) + contribution;
    }
  }
  const total = sumOf(mass);
  if (total === 0) return undefined;
  return Object.fromEntries(Object.entries(mass).map(([name, weight]) => [name, weight / total]));
}

interface HistoryPart {
  readonly id: number;
  readonly contribution: number;
}

/** Parts of an explanation that come from the history; undefined when it is damaged. */
function readable(item: unknown, shop: Shop): readonly HistoryPart[] | undefined {
  if (typeof item !== "object" || item === null) return undefined;
  const { id, score, because } = item as Record<string, unknown>;
  if (typeof id !== "number" || shop.categoryOf(id) === undefined) return undefined;
  if (!Number.isFinite(score) || !Array.isArray(because)) return undefined;
  const parts: HistoryPart[] = [];
  for (const part of because as readonly unknown[]) {
    if (typeof part !== "object" || part === null) return undefined;
    const { reason, id: from, contribution } = part as Record<string, unknown>;
    if (typeof contribution !== "number" || !(contribution >= 0)) return undefined;
    if (reason === "popularity") continue;
    if (typeof from !== "number") return undefined;
    parts.push({ id: from, contribution });
  }
  return parts;
}

/** Attribution of a model over many histories: what the live one is compared with. */
export function trainingAttribution(options: {
  readonly model: ItemModel;
  readonly histories: readonly (readonly number[])[];
  readonly shop: Shop;
}): Attribution {
  const total: Record<string, number> = {};
  for (const history of options.histories) {
    const shares = attributionOf(options.model.recommend(history, 5), options.shop) ?? {};
    for (const [name, share] of Object.entries(shares)) total[name] = (total[name] ?? 0) + share;
  }
  const sum = sumOf(total);
  return Object.fromEntries(
    options.shop.categories.map((name) => [name, sum === 0 ? 0 : (total[name] ?? 0) / sum]),
  );
}

/** The attribution of the newest answers, and its distance from a model's training. */
export class AttributionMonitor {
  readonly #shop: Shop;
  readonly #clock: ServiceClock;
  #baseline: Attribution | undefined;
  #answers: { readonly atMs: number; readonly shares: Attribution }[] = [];

  constructor(shop: Shop, clock: ServiceClock) {
    this.#shop = shop;
    this.#clock = clock;
  }

  /** Starts afresh against another training. */
  compareWith(baseline: Attribution | undefined): void {
    this.#baseline = baseline;
    this.#answers = [];
  }

  /** Takes in the items of one answer. */
  observe(items: unknown): void {
    const shares = attributionOf(items, this.#shop);
    if (shares === undefined) return;
    this.#answers.push({ atMs: this.#clock.monoMs(), shares });
    // Cut in one go, so that a full window does not move on every answer.
    if (this.#answers.length >= 2 * WINDOW_ANSWERS) this.#answers = this.#answers.slice(-WINDOW_ANSWERS);
  }

  /** 0 to 1; undefined without a baseline, or with fewer than 100 explained answers in the window. */
  divergence(): number | undefined {
    if (this.#baseline === undefined) return undefined;
    const sinceMs = this.#clock.monoMs() - WINDOW_MS;
    const window = this.#answers.slice(-WINDOW_ANSWERS).filter(({ atMs }) => atMs > sinceMs);
    if (window.length < MIN_EXPLAINED) return undefined;
    const live: Record<string, number> = {};
    for (const { shares } of window) {
      for (const [name, share] of Object.entries(shares)) live[name] = (live[name] ?? 0) + share;
    }
    return attributionDistance(live, this.#baseline);
  }
}

function sumOf(shares: Attribution): number {
  return Object.values(shares).reduce((sum, share) => sum + share, 0);
}
