import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type FaultServer, reset, startFaultServer } from "../setup/fault-server.ts";
import { ENVELOPE_MUTANTS, FRESHNESS_MUTANTS, type Mutant, VALUE_MUTANTS } from "./mutants.ts";
import { envelopeCase, freshCase, rowCase } from "./prometheus-answers.ts";
import { type Shown, show } from "./prometheus-campaign.ts";

const TARGETS = 25;
const CYCLES = 8;
const BATCH = TARGETS * CYCLES;

function lists<T>(each: fc.Arbitrary<T>, length: number): fc.Arbitrary<readonly T[]> {
  return fc.array(each, { minLength: 1, maxLength: length, size: "max" });
}

const SHOWN = {
  rows: lists(rowCase, BATCH).map((cases): Shown => ({ about: "rows", aggregate: "job", cases })),
  rows_of_instances: lists(rowCase, BATCH).map(
    (cases): Shown => ({ about: "rows", aggregate: "worst_instance", cases }),
  ),
  fresh: lists(freshCase, BATCH).map((cases): Shown => ({ about: "fresh", cases })),
  envelopes: lists(envelopeCase, BATCH).map((cases): Shown => ({ about: "envelopes", cases })),
  fresh_envelopes: lists(envelopeCase, 4 * CYCLES).map(
    (cases): Shown => ({ about: "fresh_envelopes", cases }),
  ),
};

/** Shows arbitrary lists until so many cases have been shown; shrinks to the one that is at fault. */
async function campaign(what: keyof typeof SHOWN, atLeast: number, server?: FaultServer): Promise<number> {
  let cases = 0;
  const property = fc.asyncProperty(SHOWN[what], async (shown) => {
    const verdict = await show(shown, { targets: TARGETS, server });
    cases += verdict.cases;
    expect(verdict.misread).toEqual([]);
    expect(verdict.acted).toBe(0);
    expect(verdict.unarmed).toEqual([]);
  });
  const longest = what === "fresh_envelopes" ? 4 * CYCLES : BATCH;
  // Lists are of any length: how many are needed is known once they have been shown.
  while (cases < atLeast) await fc.assert(property, { numRuns: Math.ceil((atLeast - cases) / longest) });
  return cases;
}

describe("whatever Prometheus answers, nothing is acted on that was not honestly told", () => {
  it.each([
    { what: "rows", cases: 40_000 },
    { what: "rows_of_instances", cases: 15_000 },
    { what: "fresh", cases: 15_000 },
    { what: "envelopes", cases: 15_000 },
    { what: "fresh_envelopes", cases: 1500 },
  ] as const)("$cases $what", { timeout: 600_000 }, async ({ what, cases }) => {
    expect(await campaign(what, cases)).toBeGreaterThanOrEqual(cases);
  });

  it.each([
    { what: "rows", cases: 1500 },
    { what: "envelopes", cases: 1500 },
  ] as const)("$cases $what over real connections", { timeout: 600_000 }, async ({ what, cases }) => {
    const server = await startFaultServer(reset());
    try {
      expect(await campaign(what, cases, server)).toBeGreaterThanOrEqual(cases);
    } finally {
      await server.close();
    }
  });
});

describe("a reader with one fault would act on the same answers", () => {
  const faults: [keyof typeof SHOWN, Mutant][] = [
    ...VALUE_MUTANTS.map((m): [keyof typeof SHOWN, Mutant] => ["rows", m]),
    ...FRESHNESS_MUTANTS.map((m): [keyof typeof SHOWN, Mutant] => ["fresh", m]),
    ...ENVELOPE_MUTANTS.map((m): [keyof typeof SHOWN, Mutant] => ["envelopes", m]),
  ];
  it.each(faults.map(([what, mutant]) => ({ what, mutant, name: mutant.name })))(
    "$name",
    { timeout: 120_000 },
    async ({ what, mutant }) => {
      let acted = 0;
      for (const shown of fc.sample(SHOWN[what], { numRuns: 30, seed: 1 })) {
        acted += (await show(shown, { targets: TARGETS, mutant })).acted;
        if (acted > 0) break;
      }
      expect(acted).toBeGreaterThan(0);
    },
  );
});
