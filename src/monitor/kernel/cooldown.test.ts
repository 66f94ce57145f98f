import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cooldownLeftMs, resumeMono } from "./cooldown.ts";

const at = (monoMs: number, wallMs = 1_700_000_000_000) => ({ monoMs, wallMs });

describe("cooldownLeftMs", () => {
  it.each([
    ["no action yet", undefined, 5000, 0],
    ["just acted", 5000, 5000, 300_000],
    ["one millisecond before the end", 5000, 304_999, 1],
    ["at the end", 5000, 305_000, 0],
    ["long after", 5000, 9e9, 0],
  ])("%s", (_name, last, now, left) => {
    expect(cooldownLeftMs(last, 300_000, at(now))).toBe(left);
  });

  it("does not look at the wall clock", () => {
    const left = (wallMs: number) => cooldownLeftMs(5000, 300_000, at(10_000, wallMs));
    expect(left(0)).toBe(295_000);
    expect(left(1e15)).toBe(295_000);
  });
});

describe("resumeMono", () => {
  it("takes an action of the same boot for what it is", () => {
    expect(resumeMono({ at: at(4000), bootId: "a" }, at(9000), "a")).toBe(4000);
  });

  it("counts an action of another boot as just made", () => {
    expect(resumeMono({ at: at(4000), bootId: "a" }, at(9000), "b")).toBe(9000);
  });

  it("never leaves less than the true cooldown, nor more than a full one", () => {
    const mono = fc.integer({ min: 0, max: 1e9 });
    fc.assert(
      fc.property(mono, mono, fc.boolean(), (acted, now, rebooted) => {
        const last = resumeMono({ at: at(acted), bootId: "a" }, at(now), rebooted ? "b" : "a");
        const left = cooldownLeftMs(last, 300_000, at(now));
        expect(left).toBeLessThanOrEqual(300_000);
        expect(left).toBeGreaterThanOrEqual(rebooted ? 300_000 : Math.min(300_000, 300_000 - (now - acted)));
      }),
    );
  });
});
