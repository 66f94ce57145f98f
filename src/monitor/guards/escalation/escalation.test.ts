import { describe, expect, it } from "vitest";
import type { Escalation } from "../../kernel/verification.ts";
import { tryOf } from "../testbed.ts";
import { escalatedHold } from "./escalated.ts";

const NOW = { wallMs: 1_760_000_000_000, monoMs: 5000 };
const BASE: Escalation = {
  target: "product-api",
  signal: "p95_latency",
  cause: "ineffective",
  since: NOW,
  tries: [tryOf({ detail: "420 ms before and after" })],
};

describe("escalatedHold", () => {
  it("holds nothing where nothing is escalated", () => {
    expect(escalatedHold(undefined, NOW)).toBeUndefined();
  });

  it("says what led to it and that nobody has answered", () => {
    const { hold, detail } = escalatedHold(BASE, NOW) ?? {};
    expect(hold).toBe("escalated");
    expect(detail).toMatch(
      /an action did not help, the last one 420 ms before and after; nobody has answered yet/,
    );
    expect(escalatedHold({ ...BASE, tries: [] }, NOW)?.detail).toMatch(/the last one ;/);
    expect(escalatedHold({ ...BASE, cause: "refused" }, NOW)?.detail).toMatch(
      /the target refuses the action/,
    );
  });

  it("names who has seen it, until that lapses", () => {
    const acknowledged = { by: "ana", reason: "on it", at: NOW };
    expect(escalatedHold({ ...BASE, acknowledged }, NOW)?.detail).toMatch(/seen by ana: on it/);
    const lapsed = { ...acknowledged, untilMonoMs: 5000 };
    expect(escalatedHold({ ...BASE, acknowledged: lapsed }, NOW)?.detail).toMatch(/nobody has answered yet/);
    const standing = { ...acknowledged, untilMonoMs: 5001 };
    expect(escalatedHold({ ...BASE, acknowledged: standing }, NOW)?.detail).toMatch(/seen by ana/);
  });
});
