import { beforeAll, describe, expect, it } from "vitest";
import { createRandom } from "../decisions/random.ts";
import { runIncident, type Verdict } from "./run.ts";
import { SCENARIOS, type Scenario } from "./scenarios.ts";

const SEEDS = 4;

function verdictsOf(scenario: Scenario, count = SEEDS): Verdict[] {
  return Array.from({ length: count }, (_, seed) => {
    const label = `test/${scenario.name}/${seed}`;
    return runIncident(scenario.build(createRandom(label)), label);
  });
}

describe("the choice of the region on simulated incidents", () => {
  let judged: ReadonlyMap<Scenario, readonly Verdict[]>;
  let all: readonly Verdict[];

  beforeAll(() => {
    judged = new Map(SCENARIOS.map((scenario) => [scenario, verdictsOf(scenario)]));
    all = [...judged.values()].flat();
  }, 120_000);

  it("is right nearly always and wrong never", () => {
    expect(all.length).toBe(SCENARIOS.length * SEEDS);
    expect(all.filter(({ asked }) => asked === "wrong")).toEqual([]);
    expect(all.filter(({ asked }) => asked === "right").length / all.length).toBeGreaterThanOrEqual(0.98);
  });

  it("names the culprit where one stands out, in time", () => {
    for (const [{ name, wants }, verdicts] of judged) {
      if (wants === "none") continue;
      for (const { choice } of verdicts.filter(({ asked }) => asked === "right"))
        expect(choice?.region, name).toBeDefined();
      const delays = verdicts.flatMap(({ delay }) => delay ?? []).sort((a, b) => a - b);
      expect(delays[Math.floor(delays.length / 2)], name).toBeLessThanOrEqual(75);
    }
  });

  it("beats the largest backlog where none stands out: a judge that can say wrong", () => {
    const none = [...judged].filter(([{ wants }]) => wants === "none").flatMap(([, verdicts]) => verdicts);
    expect(none.filter(({ largest }) => largest === "wrong").length / none.length).toBeGreaterThan(0.5);
    expect(none.filter(({ choice }) => choice?.region !== undefined).length).toBeLessThanOrEqual(SEEDS);
  });

  it("is the same for the same seed", () => {
    const scenario = SCENARIOS[0] as Scenario;
    expect(verdictsOf(scenario, 2)).toEqual(verdictsOf(scenario, 2));
  });
});
