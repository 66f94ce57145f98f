/** A product that is bought by the same people as another. */
export interface Neighbour {
  readonly id: number;
  /** Similarity, 0 < weight <= 1, rounded to 6 decimals. */
  readonly weight: number;
}

export interface ModelItem {
  readonly id: number;
  /** Customers who dealt with it. */
  readonly customers: number;
  /** Strongest first. */
  readonly neighbours: readonly Neighbour[];
}

/** Part of a score: a product of the history, or the general popularity of what is recommended. */
export type Contribution =
  | { readonly reason: "history"; readonly id: number; readonly contribution: number }
  | { readonly reason: "popularity"; readonly contribution: number };

export interface Recommendation {
  readonly id: number;
  /** Sum of the contributions. Comparable within one answer. */
  readonly score: number;
  /** Strongest first. */
  readonly because: readonly Contribution[];
}

/** Popularity of the best-known product counts as much as so much similarity: it breaks ties and fills up. */
const POPULARITY_WEIGHT = 0.001;

/**
 * Item-to-item collaborative filter: a product's score is the sum of its similarities to the products of the history,
 * plus a little for its popularity. The score is linear, so its parts explain it completely (Deshpande and Karypis,
 * Item-based top-N recommendation algorithms, 2004).
 */
export class ItemModel {
  readonly #items: ReadonlyMap<number, ModelItem>;
  readonly #popularity: ReadonlyMap<number, number>;
  /** Ids, most popular first; equal ones in order of id. */
  readonly #ranking: readonly number[];

  constructor(items: readonly ModelItem[]) {
    this.#items = new Map(items.map((item) => [item.id, item]));
    const most = items.reduce((max, item) => Math.max(max, item.customers), 1);
    this.#popularity = new Map(
      items.map((item) => [item.id, rounded((POPULARITY_WEIGHT * item.customers) / most)]),
    );
    this.#ranking = items
      .toSorted((left, right) => right.customers - left.customers || left.id - right.id)
      .map((item) => item.id);
  }

  knows(id: number): boolean {
    return this.#items.has(id);
  }

  /**
   * The `count` best products for a history, best first; equal scores in order of id. Products of the history are not
   * among them, unknown ones and repetitions do not count. Shorter only when the catalogue has no more.
   */
  recommend(history: readonly number[], count: number): readonly Recommendation[] {
    const seen = new Set(history);
    const reasons = new Map<number, Contribution[]>();
    for (const id of seen) {
      for (const neighbour of this.#items.get(id)?.neighbours ?? []) {
        if (seen.has(neighbour.id)) continue;
        const part: Contribution = { reason: "history", id, contribution: neighbour.weight };
        const parts = reasons.get(neighbour.id);
        if (parts === undefined) reasons.set(neighbour.id, [part]);
        else parts.push(part);
      }
    }
    let missing = count;
    for (const id of this.#ranking) {
      if (missing <= 0) break;
      if (seen.has(id) || reasons.has(id)) continue;
      reasons.set(id, []);
      missing -= 1;
    }
    return [...reasons]
      .map(([id, parts]) => explained(id, [...parts, this.#popularityPart(id)]))
      .sort((left, right) => right.score - left.score || left.id - right.id)
      .slice(0, count);
  }

  #popularityPart(id: number): Contribution {
    return { reason: "popularity", contribution: this.#popularity.get(id) ?? 0 };
  }
}

function explained(id: number, parts: readonly Contribution[]): Recommendation {
  const because = parts.toSorted((left, right) => right.contribution - left.contribution);
  return { id, score: rounded(because.reduce((sum, part) => sum + part.contribution, 0)), because };
}

/** To 6 decimals, as far as a score means anything. */
export function rounded(value: number): number {
  return Math.round(value * 1e6) / 1e6;
}
