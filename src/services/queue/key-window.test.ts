import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fingerprint, KeyWindow } from "./key-window.ts";

const print = (key: string) => fingerprint("lane", key);

describe("fingerprint", () => {
  it("keeps lane and key apart", () => {
    const all = [fingerprint("a", "b"), fingerprint("ab", ""), fingerprint("", "ab"), fingerprint("a", "c")];
    expect(new Set(all.map((bytes) => bytes.toString("hex"))).size).toBe(4);
    expect(all[0]).toHaveLength(16);
  });
});

describe("KeyWindow", () => {
  it("agrees with a set of what was added, at any number of keys", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(5_000), { maxLength: 4_000 }), (numbers) => {
        const window = new KeyWindow({ windowMs: 1_000, maxKeys: 1e6, nowMs: 0 });
        for (const number of numbers) if (number % 2 === 0) window.add(print(String(number)), 1);
        const added = new Set(numbers.filter((number) => number % 2 === 0));
        expect(window.size).toBe(added.size);
        for (const number of numbers) expect(window.has(print(String(number)))).toBe(added.has(number));
      }),
      { numRuns: 20 },
    );
  });

  it("takes keys whose words are zero", () => {
    const window = new KeyWindow({ windowMs: 1_000, maxKeys: 10, nowMs: 0 });
    expect(window.has(Buffer.alloc(16))).toBe(false);
    window.add(Buffer.alloc(16), 0);
    expect(window.has(Buffer.alloc(16))).toBe(true);
  });

  it("remembers for a window at least and two at most", () => {
    const window = new KeyWindow({ windowMs: 1_000, maxKeys: 1e6, nowMs: 0 });
    window.add(print("x"), 999);
    expect(window.add(print("y"), 1_998)).toBe(true);
    expect(window.has(print("x"))).toBe(true);
    window.add(print("z"), 2_998);
    expect([window.has(print("x")), window.has(print("y")), window.sinceMs]).toEqual([false, true, 1_998]);
  });

  it("is bounded by count: the newest maxKeys at least are known", () => {
    const window = new KeyWindow({ windowMs: 1e9, maxKeys: 100, nowMs: 0 });
    for (let index = 0; index < 1_000; index += 1) window.add(print(String(index)), index);
    expect(window.size).toBeLessThanOrEqual(200);
    for (let index = 900; index < 1_000; index += 1) expect(window.has(print(String(index)))).toBe(true);
    expect(window.has(print("700"))).toBe(false);
  });

  it("does not stretch when the clock is set back", () => {
    const window = new KeyWindow({ windowMs: 1_000, maxKeys: 1e6, nowMs: 1_000_000 });
    window.add(print("x"), 1_000_000);
    expect(window.add(print("y"), 5_000)).toBe(true);
    expect(window.has(print("x"))).toBe(true);
  });
});
