import { pickOne, type Random } from "../kit/random.ts";

/** One request of a simulated customer. */
export interface LoadRequest {
  readonly kind: "browse" | "search" | "product" | "page" | "order";
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly body?: string;
}

/** Products the simulated customers know of; the catalogue has as many. */
const PRODUCTS = 500;
const CATEGORIES = ["audio", "kitchen", "garden", "office", "outdoor", "fitness", "toys", "travel"];
const TERMS = [
  "steel kettle",
  "quiet headphones",
  "tent",
  "walnut desk lamp",
  "portable speaker",
  "gift",
  "carbon rope",
];

/** The next request: half looks around, a quarter searches, a fifth opens a product (half of them its whole page), one in twenty orders. */
export function nextRequest(random: Random): LoadRequest {
  const draw = random();
  if (draw < 0.5) {
    const page = 1 + Math.floor(random() * 3);
    return {
      kind: "browse",
      method: "GET",
      path: `/products?category=${pickOne(random, CATEGORIES)}&page=${page}`,
    };
  }
  if (draw < 0.75) {
    return { kind: "search", method: "GET", path: `/search?q=${encodeURIComponent(pickOne(random, TERMS))}` };
  }
  const product = 1 + Math.floor(random() * PRODUCTS);
  if (draw < 0.85) return { kind: "product", method: "GET", path: `/products/${product}` };
  if (draw < 0.95) {
    const seen = 1 + Math.floor(random() * PRODUCTS);
    return { kind: "page", method: "GET", path: `/products/${product}/page?history=${seen}` };
  }
  const quantity = 1 + Math.floor(random() * 3);
  return {
    kind: "order",
    method: "POST",
    path: "/orders",
    body: JSON.stringify({ product_id: product, quantity }),
  };
}

/** Milliseconds to the next arrival of a Poisson process. */
export function nextGapMs(random: Random, ratePerSecond: number): number {
  return (-Math.log(1 - random()) * 1_000) / ratePerSecond;
}
