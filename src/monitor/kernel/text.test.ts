import { describe, expect, it } from "vitest";
import { formatDuration, oneLine, percent } from "./text.ts";

describe("words for people", () => {
  it("spells durations in the unit that fits", () => {
    expect([0, 45_000, 119_001, 600_000, 5_400_000, 7_200_000, 200_000_000].map(formatDuration)).toEqual([
      "0 s",
      "45 s",
      "2 min",
      "10 min",
      "1 h 30 min",
      "2 h",
      "2 d",
    ]);
    expect([-5, Number.NaN].map(formatDuration)).toEqual(["0 s", "an unknown time"]);
  });

  it("shows shares, and what is none", () => {
    expect([percent(0.3), percent(1 / 3), percent(Number.NaN)]).toEqual(["30 %", "33.3 %", "unknown"]);
  });

  it("keeps people's text on one line, and short", () => {
    expect(oneLine(" a\n\tb\u0000c ")).toBe("a b c");
    expect(oneLine("x".repeat(300))).toHaveLength(200);
  });
});
