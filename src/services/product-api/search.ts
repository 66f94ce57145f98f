import type { Product } from "./catalogue.ts";

export interface SearchHit {
  readonly product: Product;
  /** Higher is better; comparable within one search only. */
  readonly score: number;
}

interface Posting {
  readonly document: number;
  /** Weighted count of the term in the document. */
  readonly weight: number;
}

/** A word of the name says more about a product than one of its description. */
const FIELD_WEIGHTS = { name: 3, category: 2, description: 1 } as const;
/** Saturation of repeated words and influence of length, the usual values of BM25. */
const K1 = 1.2;
const B = 0.75;

/** An inverted index in memory, ranked with BM25 over weighted fields. */
export class SearchIndex {
  readonly #products: readonly Product[];
  readonly #postings = new Map<string, Posting[]>();
  readonly #lengths: number[] = [];
  readonly #meanLength: number;

  constructor(products: readonly Product[]) {
    this.#products = products;
    for (const [document, product] of products.entries()) this.#add(document, product);
    const total = this.#lengths.reduce((sum, length) => sum + length, 0);
    this.#meanLength = products.length === 0 ? 1 : total / products.length;
  }

  /** Products that hold any of the words, best first, at most `limit`; equal scores in order of id. */
  search(query: string, limit: number): readonly SearchHit[] {
    const scores = new Map<number, number>();
    for (const term of new Set(words(query))) {
      const postings = this.#postings.get(term) ?? [];
      const rarity = Math.log(1 + (this.#products.length - postings.length + 0.5) / (postings.length + 0.5));
      for (const { document, weight } of postings) {
        const length = (this.#lengths[document] ?? 0) / this.#meanLength;
        const gain = (weight * (K1 + 1)) / (weight + K1 * (1 - B + B * length));
        scores.set(document, (scores.get(document) ?? 0) + rarity * gain);
      }
    }
    return [...scores]
      .sort(([leftId, left], [rightId, right]) => right - left || leftId - rightId)
      .slice(0, limit)
      .flatMap(([document, score]) => {
        const product = this.#products[document];
        return product === undefined ? [] : [{ product, score }];
      });
  }

  #add(document: number, product: Product): void {
    const weights = new Map<string, number>();
    let length = 0;
    for (const field of ["name", "category", "description"] as const) {
      for (const word of words(product[field])) {
        weights.set(word, (weights.get(word) ?? 0) + FIELD_WEIGHTS[field]);
        length += FIELD_WEIGHTS[field];
      }
    }
    this.#lengths.push(length);
    for (const [word, weight] of weights) {
      const postings = this.#postings.get(word);
      if (postings === undefined) this.#postings.set(word, [{ document, weight }]);
      else postings.push({ document, weight });
    }
  }
}

/** Lower-case words without accents and without a plural s. @internal for its tests */
export function words(text: string): readonly string[] {
  return text
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== "")
    .map((word) =>
      word.length > 3 && word.endsWith("s") && !word.endsWith("ss") ? word.slice(0, -1) : word,
    );
}
