import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ManualClock } from "../../kit/kit.testkit.ts";
import { decodeModel, encodeModel, ModelFormatError } from "./artifact.ts";
import { type Attribution, AttributionMonitor, attributionDistance, attributionOf } from "./attribution.ts";
import { buildModel, TRAINING } from "./build.ts";
import { evaluate } from "./evaluation.ts";
import { generateBaskets } from "./interactions.ts";
import { ItemModel } from "./item-model.ts";
import { openShop, SHOP } from "./shop.ts";
import { recommendStatic, STATIC_CUSTOMERS, STATIC_IDS } from "./static-model.ts";
import { similarity, trainItems } from "./training.ts";

const MIN_EXPLAINED = 100;
const WINDOW_MS = 300_000;
const UNATTRIBUTABLE = "unattributable";
const shop = openShop();
const built = buildModel({ ...TRAINING, live: [], wallMs: 1_700_000_000_000 });
const body = decodeModel(built.artifact);
const model = new ItemModel(body.items);

const productId = fc.integer({ min: 1, max: SHOP.size });
const history = fc.array(productId, { maxLength: 20 });
const k = fc.integer({ min: 1, max: 50 });

describe("training data", () => {
  test("are the same for a seed, other ones for another; each product once a basket, all sold", () => {
    const baskets = generateBaskets({ shop, users: 200, seed: 3 });
    expect(generateBaskets({ shop, users: 200, seed: 3 })).toEqual(baskets);
    expect(generateBaskets({ shop, users: 200, seed: 4 })).not.toEqual(baskets);
    for (const basket of baskets) {
      expect(new Set(basket).size).toBe(basket.length);
      expect(basket.every((id) => shop.categoryOf(id) !== undefined)).toBe(true);
      expect(basket.length).toBeGreaterThan(1);
    }
  });
});

describe("similarity", () => {
  test("by hand: of 40 and 90 customers 30 in common, shrunk by 30 / (30 + 10)", () => {
    expect(similarity({ common: 30, left: 40, right: 90 })).toBeCloseTo(0.375, 6);
    expect(similarity({ common: 0, left: 40, right: 90 })).toBe(0);
  });

  test("is in 0 to 1 and symmetric over any baskets; a product is no neighbour of itself", () => {
    const ids = [1, 2, 3, 4, 5, 6];
    const baskets = fc.array(fc.array(fc.integer({ min: 1, max: 7 }), { maxLength: 6 }), { maxLength: 30 });
    fc.assert(
      fc.property(baskets, (given) => {
        const items = trainItems({ ids, baskets: given });
        const weight = (from: number, to: number) =>
          items.find((item) => item.id === from)?.neighbours.find((other) => other.id === to)?.weight ?? 0;
        for (const left of ids) {
          expect(weight(left, left)).toBe(0);
          const customers = given.filter((basket) => basket.includes(left)).length;
          expect(items.find((item) => item.id === left)?.customers).toBe(customers);
          for (const right of ids) {
            expect(weight(left, right)).toBe(weight(right, left));
            expect(weight(left, right)).toBeGreaterThanOrEqual(0);
            expect(weight(left, right)).toBeLessThanOrEqual(1);
          }
        }
      }),
      { numRuns: 60 },
    );
  });

  test("does not depend on the order of baskets or of products in them", () => {
    const baskets = generateBaskets({ shop, users: 300, seed: 5 });
    const turned = baskets.map((basket) => basket.toReversed()).toReversed();
    expect(trainItems({ ids: shop.ids, baskets: turned })).toEqual(trainItems({ ids: shop.ids, baskets }));
  });
});

describe("recommendations", () => {
  test("are k products, none of the history, none twice, best first, fully explained by the history", () => {
    fc.assert(
      fc.property(history, k, (seen, count) => {
        const items = model.recommend(seen, count);
        expect(items).toHaveLength(count);
        expect(new Set(items.map((item) => item.id)).size).toBe(count);
        for (const [index, item] of items.entries()) {
          expect(seen).not.toContain(item.id);
          expect(item.score).toBeLessThanOrEqual(items[index - 1]?.score ?? Number.POSITIVE_INFINITY);
          const sum = item.because.reduce((total, part) => total + part.contribution, 0);
          expect(Math.abs(sum - item.score)).toBeLessThan(1e-6);
          for (const part of item.because) if (part.reason === "history") expect(seen).toContain(part.id);
        }
      }),
      { numRuns: 100 },
    );
  });

  test("do not depend on order, repetition or unknown products of the history", () => {
    fc.assert(
      fc.property(history, (seen) => {
        const same = model.recommend([...seen.toReversed(), ...seen, SHOP.size + 1], 10);
        const scores = (items: typeof same) => items.map(({ id, score }) => ({ id, score }));
        expect(scores(same)).toEqual(scores(model.recommend(seen, 10)));
      }),
      { numRuns: 60 },
    );
  });

  test("a longer history never lowers a score", () => {
    const scoreOf = (seen: readonly number[]) =>
      new Map(model.recommend(seen, SHOP.size).map((item) => [item.id, item.score]));
    fc.assert(
      fc.property(history, productId, (seen, more) => {
        const before = scoreOf(seen);
        for (const [id, score] of scoreOf([...seen, more]))
          expect(score).toBeGreaterThanOrEqual((before.get(id) ?? 0) - 1e-9);
      }),
      { numRuns: 30 },
    );
  });

  test("hit held-out interactions far more often than the most popular products do", () => {
    const { hit_rate_at_5: hits, baseline_hit_rate_at_5: baseline, held_out } = built.quality;
    expect(held_out).toBe(1_000);
    expect(hits).toBeGreaterThan(2 * baseline);
    expect(baseline).toBeGreaterThan(0.02);
  });

  test("a model that learned nothing is no better than the most popular products", () => {
    const baskets = generateBaskets({ shop, users: 1_000, seed: 6 });
    // Each product of a basket is replaced by one of an unrelated customer: the popularity stays, the tastes go.
    const mixed = baskets.map((basket, row) =>
      basket.map((id, at) => {
        const other = baskets[(row + 1 + 97 * at) % baskets.length] ?? basket;
        return other[at % other.length] ?? id;
      }),
    );
    const quality = evaluate({ ids: shop.ids, baskets: mixed, extra: [], holdOut: 500, seed: 1 });
    expect(quality.hit_rate_at_5).toBeLessThan(1.5 * quality.baseline_hit_rate_at_5);
  });
});

describe("the static list", () => {
  test("is the popularity of the training's interactions", () => {
    const top = body.items.toSorted((a, b) => b.customers - a.customers || a.id - b.id).slice(0, 150);
    expect(STATIC_IDS).toEqual(top.map((item) => item.id));
    expect(STATIC_CUSTOMERS).toEqual(top.map((item) => item.customers));
  });

  test("always has 50 products that are not in a history of 100", () => {
    const items = recommendStatic(STATIC_IDS.slice(0, 100), 50);
    expect(items.map((item) => item.id)).toEqual(STATIC_IDS.slice(100));
    expect(recommendStatic([], 1)[0]).toMatchObject({ id: STATIC_IDS[0], score: 1 });
  });
});

describe("attribution", () => {
  const shares = fc.dictionary(
    fc.constantFrom("a", "b", "c", "d"),
    fc.double({ min: 0, max: 1, noNaN: true }),
  );
  const some = shares.filter((given) => Object.values(given).some((share) => share > 1e-6));

  test("distance: a metric between 0 and 1", () => {
    fc.assert(
      fc.property(some, some, some, (p, q, r) => {
        const direct = attributionDistance(p, q);
        expect(attributionDistance(p, p)).toBeLessThan(1e-6);
        expect(direct).toBeCloseTo(attributionDistance(q, p), 9);
        expect(direct).toBeGreaterThanOrEqual(0);
        expect(direct).toBeLessThanOrEqual(1);
        expect(direct).toBeLessThanOrEqual(attributionDistance(p, r) + attributionDistance(r, q) + 1e-6);
      }),
    );
  });

  test("distance by hand: half of the mass moved to where there was none is the root of 0.311278", () => {
    expect(attributionDistance({ a: 1 }, { a: 0.5, b: 0.5 })).toBeCloseTo(Math.sqrt(0.311278), 5);
    expect(attributionDistance({ a: 3 }, { b: 1 })).toBe(1);
    expect(attributionDistance({}, { b: 1 })).toBe(1);
  });

  test("spreads an answer over the categories of its reasons; popularity alone says nothing", () => {
    const spread = attributionOf(model.recommend([12, 44], 5), shop) as Attribution;
    expect(Object.values(spread).reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 9);
    const known = new Set([shop.categoryOf(12), shop.categoryOf(44)]);
    expect(Object.keys(spread).every((name) => known.has(name))).toBe(true);
    expect(attributionOf(model.recommend([], 5), shop)).toBeUndefined();
  });

  test.each([
    ["no list", null],
    ["no score", [{ id: 1, score: null, because: [] }]],
    ["a product that is not sold", [{ id: -1, score: 1, because: [] }]],
    ["no reasons", [{ id: 1, score: 1, because: null }]],
    [
      "a weight that is no number",
      [{ id: 1, score: 1, because: [{ reason: "history", id: 2, contribution: "NaN" }] }],
    ],
    [
      "an unknown reason",
      [{ id: 1, score: 1, because: [{ reason: "history", id: 9_999, contribution: 1 }] }],
    ],
  ])("an answer with %s cannot be attributed", (_name, items) => {
    expect(attributionOf(items, shop)).toEqual({ [UNATTRIBUTABLE]: 1 });
  });

  test("the monitor is silent with too few answers, without a baseline, and when they grow old", () => {
    const clock = new ManualClock();
    const monitor = new AttributionMonitor(shop, clock);
    const observe = (count: number) => {
      for (let index = 0; index < count; index += 1) monitor.observe(model.recommend([1 + (index % 500)], 5));
    };
    observe(MIN_EXPLAINED);
    expect(monitor.divergence()).toBeUndefined();
    monitor.compareWith(body.attribution_baseline);
    observe(MIN_EXPLAINED - 1);
    expect(monitor.divergence()).toBeUndefined();
    observe(1);
    expect(monitor.divergence()).toBeLessThan(0.3);
    clock.advance(WINDOW_MS);
    expect(monitor.divergence()).toBeUndefined();
  });

  test("the monitor shows a change at once it prevails, and forgets it as it passes", () => {
    const monitor = new AttributionMonitor(shop, new ManualClock());
    monitor.compareWith(body.attribution_baseline);
    const observe = (items: (index: number) => unknown, count: number) => {
      for (let index = 0; index < count; index += 1) monitor.observe(items(index));
    };
    const usual = (index: number) => model.recommend([1 + ((index * 37) % 500), 1 + ((index * 91) % 500)], 5);
    observe(usual, 1_000);
    expect(monitor.divergence()).toBeLessThan(0.2);
    observe((index) => (index % 2 === 0 ? usual(index) : null), 200);
    expect(monitor.divergence()).toBeGreaterThan(0.5);
    observe(usual, 200);
    expect(monitor.divergence()).toBeLessThan(0.2);
  });
});

describe("the artifact", () => {
  test("is read back as it was written", () => {
    expect(decodeModel(encodeModel(body))).toEqual(body);
  });

  test("with any byte changed or cut off is refused", () => {
    const change = fc.record({
      at: fc.integer({ min: 0, max: built.artifact.length - 1 }),
      mask: fc.integer({ min: 1, max: 255 }),
      cut: fc.boolean(),
    });
    fc.assert(
      fc.property(change, ({ at, mask, cut }) => {
        const bytes = Buffer.from(cut ? built.artifact.subarray(0, at) : built.artifact);
        if (!cut) bytes[at] = (bytes[at] ?? 0) ^ mask;
        expect(() => decodeModel(bytes)).toThrow(ModelFormatError);
      }),
      { numRuns: 60 },
    );
  });

  test.each([
    ["a product twice", { items: [...body.items.slice(0, 1), ...body.items] }, /twice/],
    ["an unknown neighbour", { items: body.items.slice(0, 100) }, /impossible neighbour/],
    ["no products", { items: [] }, /items/],
    ["a share above 1", { attribution_baseline: { audio: 2 } }, /attribution_baseline.audio/],
    ["no time", { trained_at: "yesterday" }, /trained_at/],
  ])("with %s is refused although its checksum is right", (_name, change, reason) => {
    expect(() => decodeModel(encodeModel({ ...body, ...change }))).toThrow(reason);
  });
});
