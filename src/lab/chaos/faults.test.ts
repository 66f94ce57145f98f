import { describe, test } from "vitest";
import { keepsItsPromises } from "./in-ci.testkit.ts";
import { SCENARIOS } from "./run.ts";

const names = Object.keys(SCENARIOS).filter((name) => !name.startsWith("kill-"));

// Side by side: each on a stage of its own, and mostly waiting.
describe("faults around real processes", { timeout: 900_000, concurrent: true }, () => {
  test.for(names)("%s", keepsItsPromises);
});
