import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createUsual, learn } from "./usual.ts";

const ascending = (values: number[]) => values.toSorted((a, b) => a - b);

describe("what a region usually does", () => {
  it("is the lower median of the spans that are kept, and their second highest top", () => {
    const sample = fc.record({
      level: fc.oneof(
        fc.double({ min: 50, max: 80, noNaN: true }),
        fc.double({ min: 0, max: 500, noNaN: true }),
      ),
      seconds: fc.constantFrom(5, 15, 30, 60),
    });
    fc.assert(
      fc.property(fc.array(sample, { minLength: 1, maxLength: 400 }), (samples) => {
        const usual = createUsual();
        let atMs = 0;
        let learned = 0;
        for (const { level, seconds } of samples) {
          atMs += 1000 * seconds;
          const before = usual.spans.length;
          const { rate } = usual;
          learn(usual, { level, seconds, atMs });
          expect(usual.knownS).toBe(usual.spans.reduce((sum, span) => sum + span.seconds, 0));
          if (usual.rate === undefined || (usual.spans.length === before && usual.rate === rate)) continue;
          learned += 1;
          const rates = ascending(usual.spans.map(({ sum, seconds: s }) => sum / s));
          const tops = ascending(usual.spans.map(({ top }) => top));
          expect(usual.rates).toEqual(rates);
          expect(usual.rate).toBe(rates[Math.floor((rates.length - 1) / 2)]);
          expect(usual.high).toBe(tops.at(-2));
        }
        fc.pre(learned > 0);
      }),
      { numRuns: 100 },
    );
  });
});
