import { describe, expect, it } from "vitest";
import { RegionBreaker } from "./breaker.ts";

function make() {
  const changes: string[] = [];
  const breaker = new RegionBreaker({
    pauseMs: 1_000,
    maxPauseMs: 3_000,
    onChange: (from, to) => void changes.push(`${from}>${to}`),
  });
  return { breaker, changes };
}
function opened() {
  const made = make();
  for (let index = 0; index < 3; index += 1) made.breaker.failed(0);
  return made;
}

describe("RegionBreaker", () => {
  it("stays closed while fewer than half of the writes fail", () => {
    const { breaker, changes } = make();
    for (let index = 0; index < 100; index += 1) {
      breaker.succeeded();
      breaker.succeeded();
      breaker.failed(index);
    }
    expect([breaker.state, breaker.allowance(50, 0), changes]).toEqual(["closed", 50, []]);
  });

  it("opens at the third failure in a row, not before", () => {
    const { breaker } = make();
    breaker.failed(0);
    breaker.failed(0);
    expect(breaker.state).toBe("closed");
    breaker.failed(0);
    expect([breaker.state, breaker.allowance(50, 999)]).toEqual(["open", 0]);
  });

  it("opens when half of ten writes failed", () => {
    const { breaker } = make();
    for (let index = 0; index < 10; index += 1) breaker.succeeded();
    for (let index = 0; index < 4; index += 1) breaker.failed(0);
    expect(breaker.state).toBe("closed");
    breaker.failed(0);
    expect(breaker.state).toBe("open");
  });

  it("lets one message probe after the pause, and closes when it went well, with a clean record", () => {
    const { breaker, changes } = opened();
    expect(breaker.allowance(50, 1_000)).toBe(1);
    expect(breaker.state).toBe("half_open");
    breaker.succeeded();
    expect([breaker.state, breaker.allowance(50, 1_000)]).toEqual(["closed", 50]);
    breaker.failed(1_000);
    breaker.failed(1_000);
    expect(breaker.state).toBe("closed");
    expect(changes).toEqual(["closed>open", "open>half_open", "half_open>closed"]);
  });

  it("doubles the pause with each failed probe, up to the limit, and starts over afterwards", () => {
    const { breaker } = opened();
    let nowMs = 1_000;
    for (const pauseMs of [2_000, 3_000, 3_000]) {
      expect(breaker.allowance(50, nowMs)).toBe(1);
      breaker.failed(nowMs);
      expect(breaker.allowance(50, nowMs + pauseMs - 1)).toBe(0);
      nowMs += pauseMs;
    }
    expect(breaker.allowance(50, nowMs)).toBe(1);
    breaker.succeeded();
    for (let index = 0; index < 3; index += 1) breaker.failed(nowMs);
    expect([breaker.allowance(50, nowMs + 999), breaker.allowance(50, nowMs + 1_000)]).toEqual([0, 1]);
  });
});
