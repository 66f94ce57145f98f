import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { temporaryDirectory } from "./kit.testkit.ts";
import { LEDGER_MAX_AGE_MS, Ledger } from "./ledger.ts";

let dir: ReturnType<typeof temporaryDirectory>;
const opened: Ledger[] = [];
beforeEach(() => {
  dir = temporaryDirectory();
});
afterEach(() => {
  for (const ledger of opened.splice(0)) ledger.close();
  dir.remove();
});

function open(
  options: { maxEntries?: number; onQuarantine?: (setAside: string, reason: string) => void } = {},
) {
  const ledger = new Ledger({ file: join(dir.path, "deep", "admin.sqlite"), nowMs: 7, ...options });
  opened.push(ledger);
  return ledger;
}

function reopen(): Ledger {
  opened.pop()?.close();
  return open();
}

describe("Ledger", () => {
  test("keeps an answer across a restart", () => {
    const first = open();
    first.begin({ key: "k", call: "POST /admin/mitigate", atMs: 1_000 });
    first.finish("k", { reset_latency: true, freed_chunks: 2 });
    expect(reopen().find("k", 2_000)).toEqual({
      key: "k",
      call: "POST /admin/mitigate",
      atMs: 1_000,
      answer: { reset_latency: true, freed_chunks: 2 },
    });
  });

  test("a call that was only begun has no answer, and may begin again", () => {
    open().begin({ key: "k", call: "c", atMs: 1 });
    const ledger = reopen();
    expect(ledger.find("k", 2)?.answer).toBeUndefined();
    ledger.begin({ key: "k", call: "c", atMs: 2 });
    ledger.finish("k", {});
    expect(ledger.find("k", 2)?.answer).toEqual({});
  });

  test("an abandoned call is forgotten, a finished one is not", () => {
    const ledger = open();
    ledger.begin({ key: "a", call: "c", atMs: 1 });
    ledger.abandon("a");
    ledger.begin({ key: "b", call: "c", atMs: 1 });
    ledger.finish("b", {});
    ledger.abandon("b");
    expect(ledger.find("a", 1)).toBeUndefined();
    expect(ledger.find("b", 1)).toBeDefined();
  });

  test("forgets by age", () => {
    const ledger = open();
    ledger.begin({ key: "old", call: "c", atMs: 1_000 });
    expect(ledger.find("old", 999 + LEDGER_MAX_AGE_MS)).toBeDefined();
    expect(ledger.find("old", 1_000 + LEDGER_MAX_AGE_MS)).toBeUndefined();
    ledger.begin({ key: "new", call: "c", atMs: 1_000 + LEDGER_MAX_AGE_MS });
    expect(ledger.count()).toBe(1);
  });

  test("forgets the oldest beyond the count", () => {
    const ledger = open({ maxEntries: 3 });
    for (const index of [1, 2, 3, 4, 5]) ledger.begin({ key: `k${index}`, call: "c", atMs: index });
    expect(ledger.count()).toBe(3);
    expect(ledger.find("k2", 5)).toBeUndefined();
    expect(ledger.find("k3", 5)).toBeDefined();
  });

  test("the epoch only rises, across a restart too", () => {
    const ledger = open();
    expect(ledger.epoch()).toBeUndefined();
    ledger.raiseEpoch(7);
    ledger.raiseEpoch(3);
    expect(ledger.epoch()).toBe(7);
    expect(reopen().epoch()).toBe(7);
  });

  test("a damaged file is set aside and named", () => {
    open();
    opened.pop()?.close();
    writeFileSync(
      join(dir.path, "deep", "admin.sqlite"),
      "this is no database, and long enough to be read as one".repeat(99),
    );
    const told: string[] = [];
    const ledger = open({ onQuarantine: (setAside) => void told.push(setAside) });
    expect(ledger.count()).toBe(0);
    expect(told).toEqual([join(dir.path, "deep", "admin.sqlite.corrupt-7")]);
    expect(readdirSync(join(dir.path, "deep"))).toContain("admin.sqlite.corrupt-7");
  });

  test("a second owner is refused", () => {
    open();
    expect(() => open()).toThrow(expect.objectContaining({ name: "LedgerInUseError" }));
  });
});
