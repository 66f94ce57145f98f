import type { Basket } from "./interactions.ts";
import { type ModelItem, type Neighbour, rounded } from "./item-model.ts";

/** Neighbours that are kept for each product. */
const NEIGHBOURS = 30;
/** A similarity that rests on so many common customers counts half: a chance meeting is not a taste. */
const SHRINKAGE = 10;

/**
 * Learns what is bought together: cosine of the customers of two products, shrunk towards zero where few customers have
 * both (Sarwar et al., Item-based collaborative filtering recommendation algorithms, 2001). Ids that are not among `ids`
 * are left out. Deterministic.
 */
export function trainItems(options: {
  readonly ids: readonly number[];
  readonly baskets: readonly Basket[];
  readonly neighbours?: number;
}): readonly ModelItem[] {
  const { ids, baskets } = options;
  const indexOf = new Map(ids.map((id, index) => [id, index]));
  const together = new Uint32Array(ids.length * ids.length);
  for (const basket of baskets) {
    const indexes = [...new Set(basket)].flatMap((id) => indexOf.get(id) ?? []);
    for (const row of indexes) {
      for (const column of indexes) bump(together, row * ids.length + column);
    }
  }
  const customers = ids.map((_, index) => together[index * ids.length + index] ?? 0);
  return ids.map((id, row) => ({
    id,
    customers: customers[row] ?? 0,
    neighbours: strongest(
      ids.flatMap((other, column) => {
        const common = together[row * ids.length + column] ?? 0;
        if (other === id || common === 0) return [];
        const weight = similarity({ common, left: customers[row] ?? 0, right: customers[column] ?? 0 });
        return weight > 0 ? [{ id: other, weight }] : [];
      }),
      options.neighbours ?? NEIGHBOURS,
    ),
  }));
}

/** Shrunk cosine of two products with `left` and `right` customers, `common` of them the same; 0 to 1. @internal for its tests */
export function similarity(counts: {
  readonly common: number;
  readonly left: number;
  readonly right: number;
}): number {
  const { common, left, right } = counts;
  if (common === 0) return 0;
  return rounded((common / Math.sqrt(left * right)) * (common / (common + SHRINKAGE)));
}

function strongest(neighbours: readonly Neighbour[], count: number): readonly Neighbour[] {
  return neighbours
    .toSorted((left, right) => right.weight - left.weight || left.id - right.id)
    .slice(0, count);
}

function bump(counts: Uint32Array, at: number): void {
  counts[at] = (counts[at] ?? 0) + 1;
}
