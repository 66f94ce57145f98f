import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CATEGORIES, createCatalogue, type Product } from "./catalogue.ts";
import { OrderQueue } from "./orders.ts";
import { SearchIndex, words } from "./search.ts";

const FULL_STOCK = 1_000;
const catalogue = createCatalogue({ size: 500, seed: 1 });

describe("catalogue", () => {
  test("is the same for a seed, another for another seed", () => {
    expect(createCatalogue({ size: 500, seed: 1 })).toEqual(catalogue);
    expect(createCatalogue({ size: 500, seed: 2 })).not.toEqual(catalogue);
  });

  test("has 500 products with ids 1 to 500, unique names, whole prices, all categories", () => {
    expect(catalogue.map((product) => product.id)).toEqual(
      Array.from({ length: 500 }, (_, index) => index + 1),
    );
    expect(new Set(catalogue.map((product) => product.name)).size).toBe(500);
    expect(catalogue.every(({ price_cents }) => Number.isInteger(price_cents) && price_cents >= 500)).toBe(
      true,
    );
    for (const category of CATEGORIES) {
      expect(catalogue.filter((product) => product.category === category).length).toBeGreaterThanOrEqual(62);
    }
  });
});

describe("search", () => {
  const product = (id: number, name: string, description: string): Product => ({
    id,
    name,
    description,
    category: "kitchen",
    price_cents: 100,
  });

  test("words are lower case, without accents and plural s", () => {
    expect(words("Café, BOXES & glass-kettles!")).toEqual(["cafe", "boxe", "glass", "kettle"]);
  });

  test("a word of the name ranks above the same word of a description; ties by id", () => {
    const index = new SearchIndex([
      product(1, "Plain bowl", "goes with any kettle"),
      product(2, "Steel kettle", "boils water"),
      product(3, "Steel kettle", "boils water"),
      product(4, "Plain spoon", "stirs"),
    ]);
    expect(index.search("kettles", 10).map((hit) => hit.product.id)).toEqual([2, 3, 1]);
    expect(index.search("kettles", 1)).toHaveLength(1);
    expect(index.search("teleporter", 10)).toEqual([]);
  });

  test("a rare word weighs more than a common one", () => {
    const index = new SearchIndex([
      product(1, "Steel bowl", "x"),
      product(2, "Steel spoon", "x"),
      product(3, "Steel fork", "x"),
      product(4, "Walnut bowl", "x"),
    ]);
    expect(index.search("walnut steel", 4)[0]?.product.id).toBe(4);
  });

  test("finds exactly the products that hold a word of the query", () => {
    const index = new SearchIndex(catalogue);
    const vocabulary = [...new Set(catalogue.flatMap((item) => words(item.name)))];
    fc.assert(
      fc.property(fc.subarray(vocabulary, { minLength: 1, maxLength: 4 }), (terms) => {
        const found = index.search(terms.join(" "), 500).map((hit) => hit.product.id);
        const holding = catalogue.filter((item) => {
          const all = words(`${item.name} ${item.category} ${item.description}`);
          return terms.some((term) => all.includes(term));
        });
        expect(found.toSorted((a, b) => a - b)).toEqual(holding.map((item) => item.id));
      }),
      { numRuns: 30 },
    );
  });
});

describe("orders", () => {
  const item = catalogue[0] as Product;
  function queueOf(options: { capacity?: number; slowdown?: () => number; remembered?: number } = {}) {
    return new OrderQueue({ capacity: 5, ratePerSecond: 10, slowdown: () => 1, nowMs: 0, ...options });
  }

  test("are processed in order at the rate, and refused when the queue is full", () => {
    const queue = queueOf();
    const orders = Array.from({ length: 5 }, () => queue.place(item, 2));
    expect(queue.place(item, 2)).toBeUndefined();
    expect(queue.depth).toBe(5);
    queue.advance(100);
    expect(orders.map((order) => queue.find(order?.id ?? "")?.status)).toEqual([
      "confirmed",
      "queued",
      "queued",
      "queued",
      "queued",
    ]);
    expect(queue.place(item, 2)).toMatchObject({ status: "queued", total_cents: item.price_cents * 2 });
    queue.advance(10_000);
    expect(queue.depth).toBe(0);
  });

  test("a slowed worker takes as many times longer", () => {
    let factor = 10;
    const queue = queueOf({ slowdown: () => factor });
    for (let count = 0; count < 5; count += 1) queue.place(item, 1);
    queue.advance(1_000);
    expect(queue.depth).toBe(4);
    expect(queue.secondsUntilRoom()).toBe(1);
    factor = 100;
    expect(queue.secondsUntilRoom()).toBe(10);
    factor = 1;
    queue.advance(1_300);
    expect(queue.depth).toBe(1);
  });

  test("an idle worker does not save up: a burst is still processed at the rate", () => {
    const queue = queueOf();
    queue.advance(60_000);
    for (let count = 0; count < 5; count += 1) queue.place(item, 1);
    queue.advance(60_000);
    expect(queue.depth).toBe(4);
  });

  test("what the stock cannot serve is backordered, and a delivery follows", () => {
    const queue = queueOf();
    const statusOf = (quantity: number, nowMs: number) => {
      const order = queue.place(item, quantity);
      queue.advance(nowMs);
      return queue.find(order?.id ?? "")?.status;
    };
    expect(statusOf(FULL_STOCK - 1, 1_000)).toBe("confirmed");
    expect(statusOf(2, 2_000)).toBe("backordered");
    expect(statusOf(2, 3_000)).toBe("confirmed");
  });

  test("processed orders are forgotten beyond a count, waiting ones never", () => {
    const queue = queueOf({ capacity: 10_000, remembered: 3 });
    const ids = Array.from({ length: 3_000 }, () => queue.place(item, 1)?.id ?? "");
    queue.advance(250_000);
    expect(queue.depth).toBe(500);
    const known = ids.map((id) => queue.find(id)?.status);
    expect(known.slice(0, 2_497).every((status) => status === undefined)).toBe(true);
    expect(known.slice(2_497, 2_500)).toEqual(["confirmed", "confirmed", "confirmed"]);
    expect(known.slice(2_500).every((status) => status === "queued")).toBe(true);
  });
});
