import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { addressKey, isLoopback } from "./addresses.ts";
import { createGate, type RefusalEvent } from "./gate.ts";
import { Lockout } from "./lockout.ts";
import { createTokenSet } from "./tokens.ts";

function gate() {
  const events: RefusalEvent[] = [];
  const it = createGate({
    tokens: createTokenSet({ value: "right" }),
    onRefusal: (event) => void events.push(event),
  });
  return {
    ...it,
    events,
    try: (address: string, token: string | undefined, nowMs: number) => it.check({ address, token, nowMs }),
  };
}

describe("Lockout", () => {
  test("locks out after ten failures in a row, each time for twice as long, up to the cap", () => {
    const lockout = new Lockout();
    const waits: number[] = [];
    let nowMs = 0;
    for (let round = 0; round < 8; round += 1) {
      for (let n = 1; n < 10; n += 1)
        expect(lockout.failed("a", nowMs)).toEqual({ failures: n, lockedMs: 0 });
      expect(lockout.waitMs("a", nowMs)).toBe(0);
      const { lockedMs } = lockout.failed("a", nowMs);
      waits.push(lockedMs / 1_000);
      expect(lockout.waitMs("a", nowMs)).toBe(lockedMs);
      expect(lockout.waitMs("a", nowMs + lockedMs - 1)).toBe(1);
      nowMs += lockedMs;
      expect(lockout.waitMs("a", nowMs)).toBe(0);
    }
    expect(waits).toEqual([30, 60, 120, 240, 480, 900, 900, 900]);
    // An hour of peace, and it starts anew.
    nowMs += 3_600_000;
    for (let n = 1; n < 10; n += 1) lockout.failed("a", nowMs);
    expect(lockout.failed("a", nowMs).lockedMs).toBe(30_000);
  });

  test("failures spread thinly lock nobody out", () => {
    const lockout = new Lockout();
    for (let n = 0; n < 100; n += 1) expect(lockout.failed("a", n * 60_000).lockedMs).toBe(0);
    expect(lockout.locked(0)).toEqual([]);
  });

  test("whatever others do, an address that never failed may try, and memory is bounded", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 40 }), fc.nat(20_000)), { maxLength: 400 }),
        (history) => {
          const lockout = new Lockout({ maxKeys: 16 });
          let nowMs = 0;
          for (const [who, stepMs] of history) {
            nowMs += stepMs;
            lockout.failed(`10.0.0.${who}`, nowMs);
            expect(lockout.waitMs("10.9.9.9", nowMs)).toBe(0);
            expect(lockout.size).toBeLessThanOrEqual(16);
          }
        },
      ),
    );
  });

  test("of eleven guesses of an address, a lockout or a pause lies between the first and the last", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(10_000), { minLength: 200, maxLength: 500 }), (steps) => {
        const lockout = new Lockout();
        const looked: number[] = [];
        let nowMs = 0;
        for (const stepMs of steps) {
          nowMs += stepMs;
          if (lockout.waitMs("a", nowMs) > 0) continue;
          looked.push(nowMs);
          lockout.failed("a", nowMs);
        }
        for (let n = 10; n < looked.length; n += 1)
          if (Number(looked[n]) - Number(looked[n - 10]) < 30_000) return false;
        return true;
      }),
    );
  });

  test.each([
    ["127.0.0.1", "127.0.0.1"],
    ["::ffff:10.1.2.3", "10.1.2.3"],
    ["::FFFF:0a01:0203", "10.1.2.3"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:0DB8:1:2::9", "2001:db8:1:2::/64"],
    ["fe80::1%eth0", "fe80:0:0:0::/64"],
    ["::1", "0:0:0:0::/64"],
    ["::", "0:0:0:0::/64"],
    ["1::", "1:0:0:0::/64"],
    ["unknown", "unknown"],
  ])("%s counts as %s", (address, key) => {
    expect(addressKey(address)).toBe(key);
    expect(addressKey(key)).toBe(key);
    expect(isLoopback(address)).toBe(["127.0.0.1", "::1"].includes(address));
  });
});

describe("createGate", () => {
  test("one wrong token again and again is told to wait; other wrong ones of the address are not", () => {
    const it = gate();
    for (let n = 0; n < 10; n += 1)
      expect(it.try("a", "old", n)).toEqual({ kind: "refused", reason: "wrong" });
    expect(it.try("a", "old", 10)).toEqual({ kind: "locked_out", waitSeconds: 30 });
    expect(it.lockedOut(10)).toBe(1);
    expect(it.try("a", "other", 10)).toEqual({ kind: "refused", reason: "wrong" });
    expect(it.try("b", "old", 10)).toEqual({ kind: "refused", reason: "wrong" });
    expect(it.try("a", "old", 9 + 30_000)).toEqual({ kind: "refused", reason: "wrong" });
  });

  test("ten different wrong tokens of an address: every further wrong one waits, the right one never", () => {
    const it = gate();
    for (let n = 0; n < 10; n += 1)
      expect(it.try("a", `guess ${n}`, n)).toEqual({ kind: "refused", reason: "wrong" });
    for (let n = 10; n < 1_000; n += 1) {
      expect(it.try("a", `guess ${n}`, n).kind).toBe("locked_out");
      expect(it.try("a", "right", n)).toEqual({ kind: "accepted" });
    }
    // A right one is no help to who guesses.
    expect(it.try("a", "guess", 1_000).kind).toBe("locked_out");
    expect(it.lockedOut(1_000)).toBe(1);
    expect(it.try("b", "guess", 1_000)).toEqual({ kind: "refused", reason: "wrong" });
  });

  test("missing is not wrong: it counts towards no lockout, however often", () => {
    const it = gate();
    for (let n = 0; n < 500; n += 1)
      expect(it.try("a", undefined, n)).toEqual({ kind: "refused", reason: "missing" });
    expect(it.lockedOut(500)).toBe(0);
    expect(it.try("a", "wrong", 500)).toEqual({ kind: "refused", reason: "wrong" });
    it.flush(20_000);
    expect(it.events.reduce((sum, event) => sum + event.count, 0)).toBe(501);
    expect(it.events).toHaveLength(2);
  });

  test("tells of the first refusal, then of the lockout, then of its end, and counts each refusal once", () => {
    const it = gate();
    for (let n = 0; n < 10; n += 1) it.try("a", "wrong", n);
    for (let n = 0; n < 5_000; n += 1) it.try("a", "wrong", 20 + n);
    it.flush(20_000);
    expect(it.events).toEqual([
      { kind: "refused", address: "a", reason: "wrong", count: 1 },
      { kind: "locked_out", address: "a", count: 9, waitSeconds: 30 },
    ]);
    it.flush(30_009);
    expect(it.events.at(-1)).toEqual({ kind: "lockout_ended", address: "a", count: 5_000 });
    it.flush(60_000);
    expect(it.events).toHaveLength(3);
  });

  test("who is turned away for another reason is told of, and not locked out", () => {
    const it = gate();
    for (let n = 0; n < 50; n += 1) it.turnedAway({ address: "a", reason: "not local", nowMs: n });
    it.flush(10_050);
    expect(it.events).toEqual([
      { kind: "refused", address: "a", reason: "not local", count: 1 },
      { kind: "refused", address: "a", reason: "repeated", count: 49 },
    ]);
    expect(it.try("a", "right", 10_050)).toEqual({ kind: "accepted" });
  });

  test("a slow drip is summed up, and one that stops is told of", () => {
    const it = gate();
    for (let n = 0; n < 5; n += 1) {
      it.try("a", "wrong", n * 7_000);
      it.flush(n * 7_000);
    }
    it.flush(100_000);
    const counts = it.events.map((event) => event.count);
    expect(counts.reduce((sum, n) => sum + n, 0)).toBe(5);
    expect(counts.length).toBeLessThan(5);
  });

  test("a flood from many addresses makes few events, all of it counted", () => {
    const it = gate();
    let tries = 0;
    for (let second = 0; second < 100; second += 1) {
      for (let n = 0; n < 500; n += 1) {
        it.try(`10.0.${second}.${n}`, "wrong", second * 1_000);
        tries += 1;
      }
      it.flush(second * 1_000);
    }
    it.flush(1_000_000);
    expect(it.events.reduce((sum, event) => sum + event.count, 0)).toBe(tries);
    expect(it.events.length).toBeLessThan(1_500);
  });
});
