import { describe, expect, it } from "vitest";
import type { Store } from "../kernel/store.ts";
import { createMemoryDisk, createMemoryStore } from "../store/memory/index.ts";
import {
  creeping,
  scriptedSource,
  settingsOf,
  signalOf,
  steep,
  targetOf,
  virtualTime,
  worldOf,
} from "./cycle.testkit.ts";

describe("a tick", () => {
  it("observes, forecasts, decides, writes down, calls, records, reports: in this order", async () => {
    const events: string[] = [];
    const inner = createMemoryStore();
    const store: Store = {
      ...inner,
      recordIntent(intent) {
        events.push("intent");
        inner.recordIntent(intent);
      },
      recordOutcome(outcome) {
        events.push(`outcome ${outcome.status}`);
        inner.recordOutcome(outcome);
      },
    };
    const time = virtualTime();
    const climb = steep(time);
    const source = scriptedSource(() => {
      events.push("observe");
      return climb();
    });
    const w = worldOf({ store, time, sources: [source] });
    w.fleet.answer = ({ intent }) => {
      const entry = inner.recent(1)[0];
      expect(entry?.intent.id).toBe(intent.id);
      expect(entry?.outcome).toBeUndefined();
      events.push("call");
      return "applied";
    };
    await w.loop.start();
    expect((await w.cycles(4)).decisions[0]?.reason).toBe("insufficient_samples");
    events.length = 0;
    const report = await w.cycle();
    expect(events).toEqual(["observe", "intent", "call", "outcome applied"]);
    expect(report).toMatchObject({ mode: "auto", breachAny: true, actionTaken: "mitigation" });
    expect(report.decisions[0]).toMatchObject({ act: true, reason: "pre_timeout" });
    expect(w.reported.cycles.at(-1)).toBe(report);
    expect(w.reported.actions).toHaveLength(1);
    expect(w.reported.actions[0]?.intent).toMatchObject({
      kind: "mitigate",
      target: "product-api",
      signal: "memory",
      trigger: "pre_timeout",
      threshold: 5000,
      epoch: store.epoch,
      bootId: "boot-1",
    });
    expect(inner.recent(9)).toHaveLength(1);
    expect(inner.load().openIntents).toEqual([]);
  });

  it("stands the intent on the SLO when it is not the hard limit that speaks", async () => {
    const time = virtualTime();
    const w = worldOf({ store: createMemoryStore(), time, sources: [scriptedSource(creeping(time))] });
    await w.loop.start();
    await w.cycles(6);
    expect(w.reported.actions[0]?.intent).toMatchObject({ trigger: "confirmed", threshold: 300 });
  });

  it("confirms on two cycles in a row, and a cycle without data breaks the row", async () => {
    const time = virtualTime();
    const value = creeping(time);
    let blind = false;
    const w = worldOf({
      store: createMemoryStore(),
      time,
      sources: [scriptedSource(() => (blind ? undefined : value()))],
    });
    await w.loop.start();
    expect((await w.cycles(5)).decisions[0]?.reason).toBe("awaiting_confirmation");
    blind = true;
    expect((await w.cycle()).decisions[0]?.reason).toBe("data_missing");
    blind = false;
    expect((await w.cycle()).decisions[0]?.reason).toBe("awaiting_confirmation");
    expect((await w.cycle()).decisions[0]?.reason).toBe("confirmed");
    expect(w.fleet.effects).toHaveLength(1);
  });

  it("does not let one sample, read twice, confirm itself", async () => {
    const time = virtualTime();
    const value = creeping(time);
    let frozen: { value: number; timestampMs: number } | undefined;
    const source = scriptedSource((_s, nowMs) => {
      const sample = frozen ?? { value: value(), timestampMs: nowMs };
      return { status: "ok", source: "scripted", ...sample };
    });
    const w = worldOf({ store: createMemoryStore(), time, sources: [source] });
    await w.loop.start();
    await w.cycles(4);
    frozen = { value: value(), timestampMs: time.clock.now().wallMs };
    for (let n = 0; n < 4; n++) expect((await w.cycle()).decisions[0]?.reason).toBe("awaiting_confirmation");
    frozen = undefined;
    expect((await w.cycle()).decisions[0]?.reason).toBe("confirmed");
  });

  it("makes one action for several signals of a target, and one each for several targets", async () => {
    const time = virtualTime();
    const climb = steep(time);
    const signals = [signalOf(), signalOf(undefined, { name: "other" })];
    const w = worldOf({
      store: createMemoryStore(),
      time,
      sources: [scriptedSource((s) => (s.signal.name === "other" ? climb() : 1.01 * climb()))],
      settings: { targets: [targetOf("a", { signals }), targetOf("b", { signals })] },
    });
    await w.loop.start();
    const { decisions } = await w.cycles(5);
    expect(decisions.map((d) => `${d.target} ${d.signal} ${d.reason}`)).toEqual([
      "a memory pre_timeout",
      "a other covered_by_other_signal",
      "b memory pre_timeout",
      "b other covered_by_other_signal",
    ]);
    expect(w.fleet.effects.map((c) => c.instance)).toEqual(["a:8000", "b:8000"]);
  });

  it("calls every instance of the target under one key", async () => {
    const instances = ["a:1", "a:2", "a:3"].map((name) => ({ name, url: `http://${name}` }));
    const w = worldOf({ store: createMemoryStore(), settings: { targets: [targetOf("a", { instances })] } });
    w.fleet.answer = ({ instance }) => (instance === "a:2" ? "refused" : "applied");
    await w.loop.start();
    const report = await w.cycles(5);
    expect(w.fleet.calls.map((c) => c.instance)).toEqual(["a:1", "a:2", "a:3"]);
    expect(new Set(w.fleet.calls.map((c) => c.intent.id)).size).toBe(1);
    expect(report.actions[0]?.outcome).toMatchObject({ status: "partial" });
    expect(report.actionTaken).toBe("mitigation");
    expect(report.actions[0]?.outcome?.detail).toContain("a:2: refused (scripted refused)");
  });

  it.each(["refused", "failed"] as const)(
    "that comes to %s is recorded and is no mitigation",
    async (status) => {
      const w = worldOf({ store: createMemoryStore() });
      w.fleet.answer = () => status;
      await w.loop.start();
      const report = await w.cycles(5);
      expect(report).toMatchObject({ actionTaken: "none" });
      expect(w.store.recent(1)[0]?.outcome?.status).toBe(status);
      const next = await w.cycle();
      // Nothing happened to the service, so what was seen still counts; the cooldown counts all the same.
      expect(next.decisions[0]).toMatchObject({ reason: "cooldown_active", act: false });
    },
  );

  it("ends an intent of a kind that nobody carries out as failed", async () => {
    const w = worldOf({ store: createMemoryStore(), ports: { actions: new Map() } });
    await w.loop.start();
    await w.cycles(5);
    expect(w.store.recent(1)[0]?.outcome).toMatchObject({
      status: "failed",
      detail: "no action of kind mitigate",
    });
  });

  it("whose instances have nothing to say is recorded without empty brackets", async () => {
    const w = worldOf({ store: createMemoryStore() });
    const execute = w.fleet.execute;
    const terse = {
      ...w.fleet,
      execute: async (...call: Parameters<typeof execute>) => ({ ...(await execute(...call)), detail: "" }),
    };
    const quiet = worldOf({ store: w.store, ports: { actions: new Map([["mitigate", terse]]) } });
    await quiet.loop.start();
    await quiet.cycles(5);
    expect(w.store.recent(1)[0]?.outcome?.detail).toBe("product-api:8000: applied");
  });

  it("leaves no plan too big: 10,000 series in one tick, with a fitting number of decisions", async () => {
    const targets = Array.from({ length: 2500 }, (_, i) =>
      targetOf(`t${i}`, {
        signals: ["a", "b", "c", "d"].map((name) => signalOf(undefined, { name })),
      }),
    );
    const w = worldOf({
      store: createMemoryStore(),
      sources: [scriptedSource((s) => s.index % 1000)],
      settings: { targets, linearWindow: 5 },
    });
    await w.loop.start();
    const report = await w.cycles(6);
    expect(report.decisions).toHaveLength(10_000);
    expect(report.decisions[9999]).toMatchObject({ target: "t2499", signal: "d", current: 999 });
    expect(report.sources[0]).toMatchObject({ ok: 10_000, missing: 0 });
  });

  it("watches nothing when nothing is configured, and says so in an empty report", async () => {
    const w = worldOf({ store: createMemoryStore(), settings: { targets: [] } });
    await w.loop.start();
    expect(await w.cycle()).toMatchObject({
      decisions: [],
      breachAny: false,
      actionTaken: "none",
      sinceLastMitigationS: undefined,
    });
  });
});

describe("shadow mode", () => {
  it.each([
    ["of the monitor", { autoHeal: false }],
    ["of the target", { targets: [targetOf("product-api", { autoHeal: false })] }],
  ])("%s decides, reports, cools down, and neither calls nor writes", async (_name, settings) => {
    const w = worldOf({ store: createMemoryStore(), settings });
    await w.loop.start();
    const acted = await w.cycles(5);
    expect(acted.decisions[0]).toMatchObject({ act: true, reason: "pre_timeout" });
    expect(acted.actions[0]).toMatchObject({ mode: "shadow", outcome: undefined });
    expect(acted.actionTaken).toBe("none");
    expect((await w.cycle()).decisions[0]?.reason).toBe("cooldown_active");
    await w.cycles(20);
    expect(w.reported.actions.length).toBeGreaterThan(1);
    const times = w.reported.actions.map((a) => a.intent.at.monoMs);
    for (let i = 1; i < times.length; i++) expect(times[i]! - times[i - 1]!).toBeGreaterThanOrEqual(300_000);
    expect(w.fleet.calls).toEqual([]);
    expect(w.store.recent(9)).toEqual([]);
  });

  it("leaves no imagined cooldown behind when acting is switched on", async () => {
    const w = worldOf({ store: createMemoryStore(), settings: { autoHeal: false } });
    await w.loop.start();
    await w.cycles(6);
    w.loop.reconfigure(settingsOf());
    expect(w.loop.settings.autoHeal).toBe(true);
    expect((await w.cycle()).decisions[0]).toMatchObject({ act: true, reason: "pre_timeout" });
    expect(w.fleet.effects).toHaveLength(1);
  });
});

describe("when the journal fails", () => {
  it("nothing is called, the reason says so, and acting resumes when it is back", async () => {
    const disk = createMemoryDisk();
    const w = worldOf({ store: createMemoryStore({ disk }) });
    await w.loop.start();
    await w.cycles(4);
    disk.failWrites = "ENOSPC";
    const blocked = await w.cycles(3);
    expect(blocked.decisions[0]).toMatchObject({
      act: false,
      reason: "journal_unavailable",
      trigger: "pre_timeout",
    });
    expect(blocked.actions).toEqual([]);
    expect(w.fleet.calls).toEqual([]);
    expect(w.reported.notices.map((n) => n.event)).toContain("journal unavailable");
    disk.failWrites = undefined;
    await w.cycle();
    expect(w.fleet.effects).toHaveLength(1);
  });

  it("after the call, the intent stays open and is ended when the journal is back, with no second effect", async () => {
    const disk = createMemoryDisk();
    const w = worldOf({ store: createMemoryStore({ disk }) });
    w.fleet.answer = () => {
      disk.failWrites = "EIO";
      return "applied";
    };
    await w.loop.start();
    const report = await w.cycles(5);
    expect(report.actions[0]?.outcome).toBeUndefined();
    expect(report.actionTaken).toBe("none");
    w.fleet.answer = () => "applied";
    await w.cycle();
    expect(w.reported.reconciliations).toEqual([]);
    disk.failWrites = undefined;
    await w.cycle();
    expect(w.reported.reconciliations.map((r) => r.outcome.status)).toEqual(["applied"]);
    expect(w.fleet.effects).toHaveLength(1);
    expect(w.store.load().openIntents).toEqual([]);
  });

  it("with something that is no error, it is told of all the same", async () => {
    const fail = () => {
      throw "out of paper";
    };
    const store: Store = { ...createMemoryStore(), recordIntent: fail, saveSeries: fail };
    const w = worldOf({ store });
    await w.loop.start();
    expect((await w.cycles(5)).decisions[0]?.reason).toBe("journal_unavailable");
    expect(w.reported.notices.map((n) => n.fields)).toEqual([
      { target: "product-api", error: "out of paper" },
      { error: "out of paper" },
    ]);
  });

  it("risk state is saved as soon as it can be, and only when it changed", async () => {
    const disk = createMemoryDisk();
    const inner = createMemoryStore({ disk });
    let saves = 0;
    const store: Store = {
      ...inner,
      saveSeries(rows) {
        saves += 1;
        inner.saveSeries(rows);
      },
    };
    const time = virtualTime();
    const w = worldOf({
      store,
      time,
      sources: [scriptedSource(creeping(time))],
      settings: { autoHeal: false },
    });
    await w.loop.start();
    await w.cycles(4);
    expect(saves).toBe(0);
    disk.failWrites = "ENOSPC";
    await w.cycle();
    expect([saves, inner.load().series]).toEqual([1, []]);
    disk.failWrites = undefined;
    await w.cycle();
    expect(inner.load().series).toEqual([
      { key: "product-api/memory", inRisk: true, pending: { linear: 2 } },
    ]);
    await w.cycles(3);
    expect(saves).toBe(2);
  });
});

describe("the kill switch between decision and call", () => {
  async function dropped(between: (w: ReturnType<typeof worldOf>) => void) {
    const inner = createMemoryStore();
    const store: Store = {
      ...inner,
      recordIntent(intent) {
        inner.recordIntent(intent);
        between(w);
      },
    };
    const w: ReturnType<typeof worldOf> = worldOf({ store });
    await w.loop.start();
    await w.cycles(5);
    expect(w.fleet.calls).toEqual([]);
    expect(inner.load().openIntents).toEqual([]);
    expect(w.reported.actions[0]?.outcome?.status).toBe("dropped");
    return inner.recent(1)[0]?.outcome?.detail;
  }

  it.each<[string, (w: ReturnType<typeof worldOf>) => void]>([
    ["auto_heal_off", (w) => w.loop.reconfigure(settingsOf({ autoHeal: false }))],
    [
      "auto_heal_off",
      (w) => w.loop.reconfigure(settingsOf({ targets: [targetOf("product-api", { autoHeal: false })] })),
    ],
    ["target_gone", (w) => w.loop.reconfigure(settingsOf({ targets: [targetOf("another")] }))],
    ["stopping", (w) => w.loop.stopActing()],
    ["plan_too_old", (w) => w.time.advance(60_001)],
  ])("drops the plan: %s", async (reason, between) => {
    expect(await dropped(between)).toMatch(new RegExp(`^${reason}: `));
  });

  it("makes no call in any later cycle once stopped, and still watches", async () => {
    const w = worldOf({ store: createMemoryStore() });
    await w.loop.start();
    await w.cycles(4);
    w.loop.stopActing();
    const report = await w.cycles(3);
    expect(report.decisions).toHaveLength(1);
    expect(w.fleet.calls).toEqual([]);
  });
});
