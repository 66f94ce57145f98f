import { describe, expect, it } from "vitest";
import type { Escalation } from "../../kernel/verification.ts";
import { attemptOf } from "../guards.testkit.ts";
import { escalationFinding } from "./index.ts";

const NOW = { wallMs: 1_760_000_000_000, monoMs: 5000 };
const BASE: Escalation = {
  target: "product-api",
  signal: "p95_latency",
  cause: "ineffective",
  since: NOW,
  attempts: [attemptOf({ detail: "420 ms before and after" })],
};

describe("escalationFinding", () => {
  it("holds nothing where nothing is escalated", () => {
    expect(escalationFinding(undefined, NOW)).toBeUndefined();
  });

  it("says what led to it and that nobody has answered", () => {
    expect(escalationFinding(BASE, NOW)?.detail).toMatch(
      /an action did not help, the last one 420 ms before and after; nobody has answered yet/,
    );
    expect(escalationFinding({ ...BASE, attempts: [] }, NOW)?.detail).toMatch(/the last one ;/);
    expect(escalationFinding({ ...BASE, cause: "refused" }, NOW)?.detail).toMatch(
      /the target refuses the action/,
    );
  });

  it("names who has seen it, until that lapses", () => {
    const acknowledged = { by: "ana", reason: "on it", at: NOW };
    expect(escalationFinding({ ...BASE, acknowledged }, NOW)?.detail).toMatch(/seen by ana: on it/);
    const lapsed = { ...acknowledged, untilMonoMs: 5000 };
    expect(escalationFinding({ ...BASE, acknowledged: lapsed }, NOW)?.detail).toMatch(
      /nobody has answered yet/,
    );
    const standing = { ...acknowledged, untilMonoMs: 5001 };
    expect(escalationFinding({ ...BASE, acknowledged: standing }, NOW)?.detail).toMatch(/seen by ana/);
  });
});
