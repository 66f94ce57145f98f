import { describe, expect, it } from "vitest";
import { boundedLog, normalCdf } from "./math.ts";

describe("boundedLog", () => {
  it("is the logarithm near 1, monotone and bounded elsewhere", () => {
    for (let r = 0.6; r <= 1.7; r += 0.01) expect(Math.abs(boundedLog(r) - Math.log(r))).toBeLessThan(1e-4);
    let last = Number.NEGATIVE_INFINITY;
    for (let r = 0; r < 50; r += 0.05) {
      const now = boundedLog(r);
      expect(now).toBeGreaterThan(last);
      last = now;
    }
    expect(Math.abs(boundedLog(0))).toBeLessThan(3.1);
    expect(boundedLog(1e9)).toBeLessThan(3.1);
  });
});

describe("normalCdf", () => {
  it("agrees with known values to seven digits", () => {
    const known: [number, number][] = [
      [0, 0.5],
      [1, 0.8413447461],
      [-1, 0.1586552539],
      [1.6448536, 0.95],
      [-2.3263479, 0.01],
      [4, 0.9999683288],
    ];
    for (const [z, p] of known) expect(Math.abs(normalCdf(z) - p)).toBeLessThan(1e-6);
    expect(normalCdf(9)).toBe(1);
    expect(normalCdf(-40)).toBe(0);
  });
});
