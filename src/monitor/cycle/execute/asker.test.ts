import { describe, expect, it } from "vitest";
import { createMemoryStore } from "../../store/memory/index.ts";
import { settingsOf, targetOf, virtualTime } from "../cycle.testkit.ts";
import { bedOf, GATEWAY, playbookOf, stepOf } from "./playbooks.testkit.ts";

// The playbook of the gateway calls other things only; all of it is the gateway's doing.
const CALLEES = [1, 2].map((n) => targetOf(`workload-${n}`, { signals: [], cooldownMs: 0 }));
const QUICK = { ...GATEWAY, cooldownMs: 0 };
const UNDO = { kind: "release", parameters: {} };
const {
  forecast: _none,
  regionsOf: _no,
  ...ELSEWHERE
} = playbookOf({
  steps: CALLEES.map((on) => stepOf("retrain", { on, undo: UNDO })),
});

function bed(over: Parameters<typeof settingsOf>[0] = {}) {
  const time = virtualTime();
  const settings = { targets: [QUICK], playbooks: [ELSEWHERE], ...over };
  const made = bedOf({ store: createMemoryStore({ clock: time.clock }), time, settings });
  const off = settingsOf({ ...settings, targets: [{ ...QUICK, autoHeal: false }] });
  return { ...made, executed: () => made.fleet.calls.filter((c) => c.kind === "execute"), off };
}

const WISH = { target: "gateway", by: "ana", reason: "now" };

const SILENCE = { target: "gateway", signal: "*", action: "*", author: "ana", reason: "known" };

describe("a playbook that answers the forecasts of a target", () => {
  it("is that target's, whomever a person names: its silence holds it", async () => {
    const time = virtualTime();
    const store = createMemoryStore({ clock: time.clock });
    const foreseen = playbookOf({ alert: undefined, steps: [stepOf("retrain", { on: CALLEES[0] })] });
    const other = targetOf("other", { signals: [] });
    const b = bedOf({ store, time, settings: { targets: [GATEWAY, other], playbooks: [foreseen] } });
    const { wallMs } = time.clock.now();
    const hour = { startsAtMs: wallMs, endsAtMs: wallMs + 3_600_000 };
    b.loop.controls.silence({ ...SILENCE, ...hour });
    b.loop.controls.request({ ...WISH, target: "other", playbook: "contain" });
    const { playbooks } = await b.cycle();
    expect(playbooks).toMatchObject([{ act: false, reason: "silenced", blockedBy: "gateway" }]);
    expect(b.fleet.calls).toEqual([]);
  });
});

describe("an alert that fires while a person asks for its playbook", () => {
  it("says whose it is: the silence of its target holds it, whomever the person names", async () => {
    const b = bed({ targets: [QUICK, targetOf("other", { signals: [] })] });
    const { wallMs } = b.time.clock.now();
    const hour = { startsAtMs: wallMs, endsAtMs: wallMs + 3_600_000 };
    b.loop.controls.silence({ ...SILENCE, ...hour });
    b.fire();
    b.loop.controls.request({ ...WISH, target: "other", playbook: "contain" });
    expect((await b.cycle()).playbooks).toMatchObject([
      { act: false, reason: "silenced", blockedBy: "gateway" },
    ]);
  });
});

describe("an action that a target asked for and that calls something else", () => {
  it("holds the target that asked while its outcome is not known", async () => {
    const b = bed();
    b.fleet.answer = ({ intent }) => (intent.target === "gateway" ? "applied" : "unknown");
    b.fire();
    await b.cycle();
    b.loop.controls.request(WISH);
    const held = await b.cycle();
    expect(held.playbooks.find((p) => p.playbook === "mitigate gateway")).toMatchObject({
      act: false,
      reason: "intent_unresolved",
      blockedBy: "gateway",
    });
    expect(b.executed().map((c) => c.intent.target)).toEqual(["workload-1"]);
    b.fleet.answer = () => "applied";
    b.resolve();
    await b.cycles(2);
    b.loop.controls.request(WISH);
    await b.cycle();
    expect(b.executed().map((c) => c.intent.target)).toContain("gateway");
  });

  it("is not made late once the target that asked is in shadow mode", async () => {
    const b = bed();
    b.fleet.answer = ({ kind }) => (kind === "execute" ? "unknown" : "applied");
    b.fire();
    await b.cycle();
    expect(b.executed()).toHaveLength(1);
    b.loop.reconfigure(b.off);
    await b.cycle();
    expect(b.executed()).toHaveLength(1);
    expect(b.reported.reconciliations).toMatchObject([
      { outcome: { status: "expired", detail: expect.stringMatching(/auto_heal_off/) } },
    ]);
  });

  it("is not gone on with once the target that asked is in shadow mode", async () => {
    const b = bed();
    b.fleet.answer = () => {
      b.loop.reconfigure(b.off);
      return "applied";
    };
    b.fire();
    await b.cycles(3);
    expect(b.executed().map((c) => c.intent.target)).toEqual(["workload-1"]);
  });

  it("is not taken back while the target that asked is in shadow mode", async () => {
    const b = bed();
    b.fire();
    await b.cycle();
    b.loop.reconfigure(b.off);
    b.resolve();
    await b.cycles(2);
    expect(b.executed().map((c) => c.intent.kind)).toEqual(["retrain", "retrain"]);
  });
});
