import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { PartsObservation } from "../../kernel/observation.ts";
import { chooseRegion, createRegionHistory, observeParts } from "./index.ts";
import { at, calm, hand, type Phase, simulateGateway, T0 } from "./regions.testkit.ts";

describe("whatever happens", () => {
  const reading = fc.record({
    part: fc.constantFrom("a", "b", "c"),
    backlog: fc.option(fc.double(), { nil: undefined }),
    inboundTotal: fc.option(fc.double(), { nil: undefined }),
  });
  const step = fc.record({
    seconds: fc.integer({ min: -100, max: 1000 }),
    wallJumpS: fc.constantFrom(0, 0, 0, 86_400, -86_400),
    ageS: fc.integer({ min: -5, max: 100 }),
    source: fc.constantFrom("x", "y"),
    parts: fc.array(reading, { maxLength: 4 }),
  });

  it("never throws, never gives a number that is not finite, whatever it is told", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const history = createRegionHistory();
        let now = T0;
        for (const { seconds, wallJumpS, ageS, source, parts } of steps) {
          now = {
            wallMs: now.wallMs + (seconds + wallJumpS) * 1000,
            monoMs: now.monoMs + Math.max(0, seconds) * 1000,
          };
          observeParts(
            history,
            { status: "ok", source, timestampMs: now.wallMs - ageS * 1000, parts } as PartsObservation,
            now,
          );
          const choice = chooseRegion(history, now);
          expect("why" in choice ? choice.why : choice.none).toMatch(/^(?!.*(NaN|undefined|Infinity)).{6,}$/);
          for (const numbers of choice.regions)
            for (const [name, value] of Object.entries(numbers))
              if (typeof value === "number") {
                expect(value, name).not.toBeNaN();
                if (name !== "growth") expect(value, name).toBeGreaterThanOrEqual(0);
              }
        }
      }),
      { numRuns: 300 },
    );
  });

  it("does not depend on a wall clock that jumps, on the order of the regions or on their names", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -86_400, max: 86_400 }),
        fc.integer({ min: 0, max: 2 }),
        fc.nat(3),
        (jumpS, cycle, turn) => {
          const gateway = simulateGateway();
          const history = createRegionHistory();
          const names = ["p", "q", "r", "s"];
          const rename = (i: number) => names[(i + turn) % 4] as string;
          let second = 0;
          let shiftMs = 0;
          for (let i = 0; i < 45; i++) {
            if (i === 42 + cycle) shiftMs = jumpS * 1000;
            for (let s = 0; s < 30; s++, second++)
              gateway.second({
                arrivals: Object.fromEntries(
                  [0, 1, 2, 3].map((n) => [rename(n), n === 1 && i >= 41 ? 480 : 20]),
                ),
                capacity: 200,
              });
            const now = { wallMs: at(second).wallMs + shiftMs, monoMs: at(second).monoMs };
            observeParts(history, gateway.reading(now), now);
            if (i === 44) expect(chooseRegion(history, now)).toMatchObject({ region: rename(1) });
          }
        },
      ),
      { numRuns: 30 },
    );
  });

  it("never chooses while all regions do the same, whatever that is", () => {
    const rates = fc.array(fc.integer({ min: 0, max: 2000 }), { minLength: 30, maxLength: 60 });
    fc.assert(
      fc.property(
        rates,
        fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 4, maxLength: 4 }),
        (factors, sizes) => {
          const world = hand();
          const totals = [0, 0, 0, 0];
          const backlogs = [0, 0, 0, 0];
          for (const factor of factors) {
            world.step(
              30,
              sizes.map((size, n) => {
                totals[n] = (totals[n] as number) + factor * size;
                // Half of what comes is passed on.
                backlogs[n] = (backlogs[n] as number) + (factor * size) / 2;
                return { part: `r${n}`, backlog: backlogs[n] as number, inboundTotal: totals[n] as number };
              }),
            );
            const choice = world.choose();
            expect(choice.region, JSON.stringify(choice)).toBeUndefined();
          }
        },
      ),
      { numRuns: 100 },
    );
  });

  it("stays of one size: neither time nor readings make it grow", () => {
    const leaves = (value: unknown): number =>
      typeof value === "object" && value !== null
        ? Object.values(value).reduce((sum: number, part) => sum + leaves(part), 0)
        : 1;
    const size = (phases: readonly Phase[]) => {
      const gateway = simulateGateway();
      const history = createRegionHistory();
      let second = 0;
      for (const phase of phases)
        for (let i = 0; i < phase.seconds; i++, second++) {
          gateway.second(phase);
          observeParts(history, gateway.reading(at(second)), at(second));
        }
      expect(history.regions.size).toBe(4);
      return leaves([...history.regions.values()]);
    };
    expect(size([{ ...calm, seconds: 40_000 }])).toBe(size([{ ...calm, seconds: 20_000 }]));
  });
});
