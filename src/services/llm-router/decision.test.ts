import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkOutput, fallbackDecision, isActionable, MODEL_ACTIONS } from "./decision.ts";

const MAX_RATIONALE_CHARS = 1_000;
const bytes = (text: string) => new TextEncoder().encode(text);
const good = { action: "clear_cache", confidence: 0.75, rationale: "stale entries" };

describe("the schema of a decision", () => {
  test("takes exactly the three fields in their ranges", () => {
    expect(checkOutput(bytes(JSON.stringify(good)))).toEqual({ ok: true, decision: good });
    expect(checkOutput(bytes(JSON.stringify({ ...good, confidence: 0 }))).ok).toBe(true);
    expect(checkOutput(bytes(` ${JSON.stringify({ ...good, confidence: 1 })}\n`)).ok).toBe(true);
  });

  test.each<[string, string, string]>([
    ["nothing", "", "not_json"],
    ["prose", "Sure! clear_cache.", "not_json"],
    ["HTML", "<html>502</html>", "not_json"],
    ["two documents", `${JSON.stringify(good)}${JSON.stringify(good)}`, "not_json"],
    ["NaN", '{"action":"clear_cache","confidence":NaN,"rationale":"x"}', "not_json"],
    ["a byte order mark", `\u{feff}${JSON.stringify(good)}`, "not_json"],
    ["null", "null", "schema"],
    ["a list", JSON.stringify([good]), "schema"],
    ["no action", JSON.stringify({ ...good, action: undefined }), "schema"],
    ["an unknown action", JSON.stringify({ ...good, action: "format_disk" }), "schema"],
    ["the router's own action", JSON.stringify({ ...good, action: "safemode_fallback" }), "schema"],
    ["confidence above 1", JSON.stringify({ ...good, confidence: 1.01 }), "schema"],
    ["negative confidence", JSON.stringify({ ...good, confidence: -0.1 }), "schema"],
    ["infinite confidence", '{"action":"clear_cache","confidence":1e999,"rationale":"x"}', "schema"],
    ["confidence as text", JSON.stringify({ ...good, confidence: "0.5" }), "schema"],
    ["no rationale", JSON.stringify({ ...good, rationale: "" }), "schema"],
    [
      "a long rationale",
      JSON.stringify({ ...good, rationale: "x".repeat(MAX_RATIONALE_CHARS + 1) }),
      "schema",
    ],
    ["control characters", JSON.stringify({ ...good, rationale: "\u001b[2J" }), "schema"],
    ["a further field", JSON.stringify({ ...good, command: "x" }), "schema"],
    [
      "a prototype",
      '{"action":"clear_cache","confidence":1,"rationale":"x","__proto__":{"admin":true}}',
      "schema",
    ],
  ])("refuses %s", (_name, text, reason) => {
    expect(checkOutput(bytes(text))).toMatchObject({ ok: false, problem: { reason } });
  });

  test("refuses what is not UTF-8", () => {
    expect(checkOutput(new Uint8Array([0x7b, 0xff, 0x7d]))).toMatchObject({
      ok: false,
      problem: { reason: "not_utf8" },
    });
  });

  test("never throws, and never lets anything else through", () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.json().map(bytes)), (output) => {
        const checked = checkOutput(output);
        if (!checked.ok) return;
        expect(Object.keys(checked.decision)).toEqual(["action", "confidence", "rationale"]);
        expect(MODEL_ACTIONS).toContain(checked.decision.action);
      }),
    );
  });

  test("a problem repeats nothing of the output", () => {
    const checked = checkOutput(bytes('{"evil<script>":1,"action":"evil"}'));
    expect(JSON.stringify(checked)).not.toContain("evil");
  });
});

describe("what may follow from a decision", () => {
  test("confidence 0.0 never triggers anything, whatever the action", () => {
    for (const action of MODEL_ACTIONS) {
      expect(isActionable({ action, confidence: 0, rationale: "x" })).toBe(false);
      expect(isActionable({ action, confidence: -0, rationale: "x" })).toBe(false);
      expect(isActionable({ action, confidence: 0.01, rationale: "x" })).toBe(true);
      expect(isActionable({ action, confidence: 0.5, rationale: "x" }, 0.6)).toBe(false);
    }
  });

  test("nor does the fallback or anything that is no decision", () => {
    const fallback = fallbackDecision("no assistant answered");
    expect(fallback).toEqual({
      action: "safemode_fallback",
      confidence: 0,
      rationale: "no assistant answered",
    });
    for (const value of [
      fallback,
      { ...fallback, confidence: 1 },
      { ...good, confidence: "1" },
      { ...good, confidence: Number.NaN },
      undefined,
      null,
      "clear_cache",
      [],
    ])
      expect(isActionable(value), JSON.stringify(value)).toBe(false);
  });
});
