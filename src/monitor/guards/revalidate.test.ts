import { describe, expect, it } from "vitest";
import type { Intent } from "../kernel/action.ts";
import { type Present, revalidate } from "./revalidate.ts";

const intent: Intent = {
  id: "i-1",
  kind: "mitigate",
  target: "product-api",
  signal: "memory",
  trigger: "strong",
  predictor: "linear",
  epoch: 3,
  at: { wallMs: 0, monoMs: 1000 },
  bootId: "boot-1",
};
const instances = [
  { name: "a:1", url: "http://a:1" },
  { name: "b:1", url: "http://b:1" },
];
const present: Present = {
  stopping: false,
  autoHeal: true,
  on: { instances, autoHeal: true },
  asker: { autoHeal: true },
  epoch: 3,
};

function look(over: Partial<Present>, plan: Partial<Intent> = {}, now = 2000, bootId = "boot-1") {
  return revalidate({
    plan: { intent: { ...intent, ...plan }, instances: ["b:1", "a:1"] },
    present: { ...present, ...over },
    now: { wallMs: 0, monoMs: now },
    bootId,
    ttlMs: 60_000,
  });
}

describe("the last look before the call", () => {
  it("lets a plan pass that nothing has overtaken, at its last permitted moment too", () => {
    expect(look({})).toBeUndefined();
    expect(look({}, {}, 61_000)).toBeUndefined();
    expect(look({ asker: undefined })).toBeUndefined();
  });

  it.each<[string, Partial<Present>, RegExp]>([
    ["stopping", { stopping: true }, /stopping/],
    ["target_gone", { on: undefined }, /product-api is no longer configured/],
    ["auto_heal_off", { autoHeal: false }, /switched off/],
    ["auto_heal_off", { on: { instances, autoHeal: false } }, /switched off/],
    ["auto_heal_off", { asker: { autoHeal: false } }, /switched off/],
    ["superseded", { epoch: 4 }, /epoch 4 has taken over from 3/],
    ["target_changed", { on: { instances: instances.slice(1), autoHeal: true } }, /for b:1, a:1, now b:1/],
    ["target_changed", { on: { instances: [], autoHeal: true } }, /now no instance/],
  ])("drops it as %s", (reason, over, detail) => {
    expect(look(over)).toEqual({ reason, detail: expect.stringMatching(detail) });
  });

  it("drops what is too old, or of another boot", () => {
    expect(look({}, {}, 61_001)).toEqual({
      reason: "plan_too_old",
      detail: "it is 60 s old, at most 60 s are allowed",
    });
    expect(look({}, {}, 1001, "boot-2")).toMatchObject({
      reason: "plan_too_old",
      detail: expect.stringContaining("another boot"),
    });
  });

  it("looks at an undo as at anything else", () => {
    const undo = { origin: { playbook: "p", run: "r", step: 0, undoes: "i-0" } };
    expect(look({}, undo)).toBeUndefined();
    expect(look({ stopping: true }, undo)).toMatchObject({ reason: "stopping" });
  });
});
