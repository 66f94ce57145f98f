import { describe, test } from "vitest";
import { keepsItsPromises } from "./in-ci.testkit.ts";

describe("kill -9 of real processes", { timeout: 900_000, concurrent: true }, () => {
  test.for(["kill-random", "kill-steps"])("%s", keepsItsPromises);
});
