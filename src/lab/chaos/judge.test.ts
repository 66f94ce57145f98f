import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { intentOf, outcomeOf } from "../../../test/store/fixtures.ts";
import type { Intent, Outcome, OutcomeStatus } from "../../monitor/kernel/action.ts";
import { type Evidence, judge } from "./judge.ts";

// A judge that finds nothing must be one that could have.

const COOLDOWN_MS = 4000;

function intent(id: string, target = "a"): [string, Intent] {
  return [id, { ...intentOf(id), target }];
}

function outcome(id: string, status: OutcomeStatus = "applied"): [string, Outcome] {
  return [id, outcomeOf(id, { status })];
}

function effect(key: string, atS: number) {
  return { idempotency_key: key, ts: new Date(1_760_000_000_000 + 1000 * atS).toISOString() };
}

/** Two actions on one target, a cooldown apart, told the same way by everyone. */
function honest(over: Partial<Evidence> = {}): Evidence {
  const dataDir = mkdtempSync(join(tmpdir(), "helius-judge-test-"));
  onTestFinished(() => rmSync(dataDir, { recursive: true }));
  return {
    effects: [effect("x", 0), effect("y", 10)],
    ledger: new Map([
      ["x", true],
      ["y", true],
    ]),
    seen: { intents: new Set(["x", "y"]), outcomes: new Set(["x"]) },
    journal: {
      intents: new Map([intent("x"), intent("y")]),
      outcomes: new Map([outcome("x"), outcome("y")]),
    },
    dataDir,
    cooldownMs: () => COOLDOWN_MS,
    ...over,
  };
}

test("accounts that agree are no violation", () => {
  expect(judge(honest())).toEqual({ duplicateEffects: 0, lostRecords: 0, violations: [] });
});

test("an effect under the same key twice is a duplicate", () => {
  const effects = [effect("x", 0), effect("y", 10), effect("y", 20)];
  expect(judge(honest({ effects }))).toMatchObject({
    duplicateEffects: 1,
    violations: ["2 effects under key y"],
  });
});

test.each<[string, Partial<Evidence>]>([
  [
    "an effect whose intent was never written down",
    { journal: { intents: new Map([intent("x")]), outcomes: new Map([outcome("x")]) }, seen: none() },
  ],
  ["an intent that was on disk and is gone", { seen: { intents: new Set(["z"]), outcomes: new Set() } }],
  ["an outcome that was on disk and is gone", { seen: { intents: new Set(), outcomes: new Set(["z"]) } }],
  [
    "an intent without a terminal record",
    { journal: { intents: new Map([intent("x"), intent("y")]), outcomes: new Map([outcome("x")]) } },
  ],
  [
    "an effect that is recorded as none",
    {
      journal: {
        intents: new Map([intent("x"), intent("y")]),
        outcomes: new Map([outcome("x"), outcome("y", "expired")]),
      },
    },
  ],
  ["an effect that is recorded and was none", { effects: [effect("x", 0)] }],
  ["an effect that the service's ledger does not know", { ledger: new Map([["x", true]]) }],
])("%s is a lost record", (_what, over) => {
  const judgement = judge(honest(over));
  expect(judgement.lostRecords).toBe(1);
  expect(judgement.violations).toHaveLength(1);
});

test("two effects on one target within its cooldown are too soon, on two targets they are not", () => {
  const effects = [effect("x", 0), effect("y", 1)];
  expect(judge(honest({ effects })).violations).toEqual([
    "a was acted on twice within 1000 ms, cooldown 4000 ms",
  ]);
  const outcomes = new Map([outcome("x"), outcome("y")]);
  const journal = { intents: new Map([intent("x"), intent("y", "b")]), outcomes };
  expect(judge(honest({ effects, journal })).violations).toEqual([]);
});

test("a journal that was set aside is a violation", () => {
  const evidence = honest();
  writeFileSync(join(evidence.dataDir, "monitor.db.corrupt-1"), "");
  expect(judge(evidence).violations).toEqual(["the journal was set aside as monitor.db.corrupt-1"]);
});

function none(): Evidence["seen"] {
  return { intents: new Set(), outcomes: new Set() };
}
