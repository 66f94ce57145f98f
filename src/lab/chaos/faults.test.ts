import { describe, test } from "vitest";
import { keepsItsPromises } from "./in-ci.testkit.ts";
import { SCENARIOS } from "./run.ts";

const names = Object.keys(SCENARIOS).filter((name) => !name.startsWith("kill-"));

describe("faults around real processes", { timeout: 900_000 }, () => {
  test.for(names)("%s", keepsItsPromises);
});
