import { describe, expect, it } from "vitest";
import { measuredAs } from "../../guards/guard.ts";
import type { EscalationAlert, Notifier } from "../../kernel/verification.ts";
import { createMemoryDisk, createMemoryStore, type MemoryDisk } from "../../store/memory/index.ts";
import {
  GUARDS,
  scriptedSource,
  settingsOf,
  targetOf,
  VERIFICATION,
  type VirtualTime,
  virtualTime,
  type World,
  worldOf,
} from "../cycle.testkit.ts";
import { bedOf, GATEWAY, playbookOf, stepOf } from "../execute/playbooks.testkit.ts";

/** Rises until it is mitigated; what a mitigation does is the test's to say. */
function sick(healed: () => boolean) {
  let level = 100;
  return () => {
    level = healed() ? 100 : level + 600;
    return level;
  };
}

const SETTINGS = {
  guards: { ...GUARDS, backoff: { factor: 2, maxMs: 3_600_000 } },
  verification: { ...VERIFICATION, maxIneffective: 3, ineffectiveWindowMs: 24 * 3_600_000 },
};

function world(options: {
  helps: boolean;
  disk?: MemoryDisk;
  time?: VirtualTime;
  notifier?: Notifier;
}): World {
  const { time = virtualTime(), disk = createMemoryDisk(), helps } = options;
  let effects = () => 0;
  const w = worldOf({
    store: createMemoryStore({ disk, clock: time.clock }),
    time,
    sources: [scriptedSource(sick(() => helps && effects() > 0))],
    settings: SETTINGS,
    ports: { notifier: options.notifier },
  });
  effects = () => w.fleet.effects.length;
  return w;
}

const verdicts = (w: World) => w.reported.cycles.flatMap((c) => c.verified.map((v) => v.outcome));

describe("after an action", () => {
  it("that helped, the verdict is recovered, on samples from after it", async () => {
    const w = world({ helps: true });
    await w.cycles(30);
    expect(w.fleet.effects).toHaveLength(1);
    expect(verdicts(w)).toEqual(["recovered"]);
    expect(w.reported.cycles.find((c) => c.verified.length > 0)?.verified[0]?.detail).toMatch(/100/);
  });

  it("that did not, pauses grow and the third try is the last; people are asked", async () => {
    const w = world({ helps: false });
    await w.cycles(600);
    expect(verdicts(w).every((v) => v === "ineffective" || v === "worse")).toBe(true);
    const at = w.fleet.effects.map((c) => c.monoMs);
    expect(at).toHaveLength(3);
    const pauses = [(at[1] as number) - (at[0] as number), (at[2] as number) - (at[1] as number)];
    expect(pauses[0]).toBeGreaterThanOrEqual(600_000);
    expect(pauses[1]).toBeGreaterThanOrEqual(1_200_000);
    expect(w.reported.notices.filter((n) => n.event === "target escalated")).toHaveLength(1);
    const last = w.reported.cycles.at(-1);
    expect(last?.decisions[0]).toMatchObject({ act: false, reason: "escalated" });
    expect(last && [...measuredAs(last.guards, "predict_escalated")]).toEqual([["product-api", 1]]);
  });

  it("that was refused counts as one that did not help", async () => {
    const w = world({ helps: false });
    w.fleet.answer = () => "refused";
    await w.cycles(300);
    expect(w.reported.notices.map((n) => n.event)).toContain("target escalated");
    expect(w.fleet.effects).toEqual([]);
  });

  it("without any sample afterwards the verdict is inconclusive, and neither helps nor counts", async () => {
    const time = virtualTime();
    let w: World | undefined;
    const level = sick(() => false);
    w = worldOf({
      store: createMemoryStore({ clock: time.clock }),
      time,
      sources: [scriptedSource(() => ((w?.fleet.effects.length ?? 0) > 0 ? undefined : level()))],
      settings: SETTINGS,
    });
    await w.cycles(30);
    expect(verdicts(w)).toEqual(["inconclusive"]);
  });
});

describe("an escalation", () => {
  const recorder = () => {
    const told: EscalationAlert[][] = [];
    let works = true;
    const notifier: Notifier = {
      async notify(alerts) {
        if (!works) return { status: "failed", detail: "refused", retryable: true };
        told.push([...alerts]);
        return { status: "delivered" };
      },
      close: async () => {},
    };
    return {
      told,
      notifier,
      fail: (now: boolean) => {
        works = !now;
      },
    };
  };

  it("is told again and again while it lasts, as one alert, and its end once", async () => {
    const { told, notifier } = recorder();
    const w = world({ helps: false, notifier });
    await w.cycles(220);
    expect(told.length).toBeGreaterThan(10);
    expect(new Set(told.flat().map((a) => JSON.stringify([a.labels, a.startsAtMs]))).size).toBe(1);
    expect(told[0]?.[0]?.labels).toMatchObject({ alertname: "SelfHealEscalation", target: "product-api" });
    const before = told.length;
    const answered = w.loop.controls.answerEscalation({
      target: "product-api",
      by: "ana",
      reason: "mended",
      resumeTarget: true,
    });
    expect(answered).toBe(true);
    await w.cycle();
    const end = told.at(-1)?.[0];
    expect(told.length).toBe(before + 1);
    expect(end?.endsAtMs).toBeLessThanOrEqual(w.time.clock.now().wallMs);
    expect(w.reported.notices.map((n) => n.event)).toContain("escalation answered");
  });

  it("that cannot be told is tried every cycle, and logged", async () => {
    const { told, notifier, fail } = recorder();
    fail(true);
    const w = world({ helps: false, notifier });
    await w.cycles(200);
    expect(told).toEqual([]);
    expect(w.reported.notices.map((n) => n.event)).toContain("escalation not delivered");
    fail(false);
    await w.cycle();
    expect(told).toHaveLength(1);
  });

  it("outlives a restart, and so does its answer", async () => {
    const time = virtualTime();
    const disk = createMemoryDisk();
    const w = world({ helps: false, time, disk });
    await w.cycles(200);
    const made = w.fleet.effects.length;
    disk.crash();
    const again = world({ helps: false, time, disk });
    await again.loop.start();
    await again.cycles(40);
    expect(made).toBe(3);
    expect(again.fleet.effects).toEqual([]);
    expect(again.reported.cycles.at(-1)?.decisions[0]?.reason).toBe("escalated");
    expect(
      again.loop.controls.answerEscalation({ target: "nobody", by: "ana", reason: "x", resumeTarget: true }),
    ).toBe(false);
  });

  it("ends when its target is taken out of the configuration, and people are told so", async () => {
    const { told, notifier } = recorder();
    const w = world({ helps: false, notifier });
    await w.cycles(200);
    expect(w.reported.cycles.at(-1)?.decisions[0]?.reason).toBe("escalated");
    w.loop.reconfigure(settingsOf({ ...SETTINGS, targets: [targetOf("other", { autoHeal: false })] }));
    await w.cycle();
    expect(w.reported.notices.find((n) => n.event === "escalation ended")?.fields).toEqual({
      target: "product-api",
      by: "gone",
      detail: "product-api is no longer configured",
    });
    expect(told.at(-1)).toMatchObject([{ labels: { target: "product-api" } }]);
    expect(told.at(-1)?.[0]?.endsAtMs).toBeLessThanOrEqual(w.time.clock.now().wallMs);
    const sent = told.length;
    await w.cycles(20);
    expect(told).toHaveLength(sent);
  });

  it("ends by itself once the target has been well for long enough", async () => {
    const time = virtualTime();
    let well = false;
    const level = sick(() => well);
    const w = worldOf({
      store: createMemoryStore({ clock: time.clock }),
      time,
      sources: [scriptedSource(level)],
      settings: SETTINGS,
    });
    await w.cycles(200);
    expect(w.reported.cycles.at(-1)?.decisions[0]?.reason).toBe("escalated");
    well = true;
    await w.cycles(90);
    expect(w.reported.notices.map((n) => n.event)).toContain("escalation ended");
  });
});

describe("a playbook's run", () => {
  it("that an alert asked for, and no series shows, is judged by the alert", async () => {
    const workload = targetOf("mlflow-tracker", { signals: [] });
    const restart = playbookOf({ steps: [stepOf("retrain", { on: workload })] });
    const { forecast: _none, ...alone } = restart;
    const bed = bedOf({ store: createMemoryStore(), settings: { targets: [GATEWAY], playbooks: [alone] } });
    await bed.cycles(2);
    bed.fire();
    await bed.cycles(3);
    bed.resolve();
    await bed.cycles(2);
    expect(bed.reported.cycles.flatMap((c) => c.verified)).toEqual([
      expect.objectContaining({ target: "gateway", outcome: "recovered" }),
    ]);
  });

  it("whose alert goes on counts as ineffective, and escalates the target that the alert speaks of", async () => {
    const workload = targetOf("mlflow-tracker", { signals: [] });
    const { forecast: _none, ...alone } = playbookOf({ steps: [stepOf("retrain", { on: workload })] });
    const bed = bedOf({
      store: createMemoryStore(),
      settings: { targets: [GATEWAY], playbooks: [alone], ...SETTINGS },
    });
    for (let n = 0; n < 300; n++) {
      bed.fire();
      await bed.cycle();
    }
    expect(bed.fleet.effects).toHaveLength(3);
    expect(bed.reported.cycles.at(-1)?.playbooks[0]).toMatchObject({ act: false, reason: "escalated" });
  });

  it("is judged also where its target may be acted on again before its verdict is due", async () => {
    const { forecast: _none, ...alone } = playbookOf({ steps: [stepOf("retrain")], undoOnResolved: false });
    const bed = bedOf({
      store: createMemoryStore(),
      settings: { targets: [GATEWAY], playbooks: [alone], ...SETTINGS, guards: GUARDS },
    });
    // The verdict is due a cooldown after the call was over, the next action a cooldown after it was decided on.
    bed.fleet.answer = () => {
      bed.time.advance(20);
      return "applied";
    };
    for (let n = 0; n < 100; n++) {
      bed.fire();
      await bed.cycle();
    }
    expect(verdicts(bed)).toEqual(["ineffective", "ineffective", "ineffective"]);
    expect(bed.fleet.effects).toHaveLength(3);
  });
});

describe("pause", () => {
  it("holds everything within a cycle, is on disk, and ends when it is lifted", async () => {
    const time = virtualTime();
    const disk = createMemoryDisk();
    const w = world({ helps: false, time, disk });
    await w.cycles(2);
    w.loop.controls.pause({ by: "ana", reason: "load test" });
    await w.cycles(5);
    expect(w.fleet.calls).toEqual([]);
    expect(w.reported.cycles.at(-1)?.decisions[0]).toMatchObject({ act: false, reason: "paused" });
    expect(w.reported.cycles.at(-1)?.decisions[0]?.detail).toMatch(/by ana .*: load test/);
    disk.crash();
    const again = world({ helps: false, time, disk });
    await again.loop.start();
    await again.cycles(8);
    expect(again.fleet.calls).toEqual([]);
    again.loop.controls.resume({ by: "ana", reason: "done" });
    await again.cycle();
    expect(again.fleet.effects).toHaveLength(1);
  });

  it("that comes while a step is called blocks the next one", async () => {
    const bed = bedOf({ store: createMemoryStore() });
    await bed.cycles(14);
    bed.fleet.answer = () => {
      bed.loop.controls.pause({ by: "ana", reason: "stop" });
      return "applied";
    };
    bed.fire();
    await bed.cycle();
    expect(bed.effects()).toEqual(["isolate us-east-1"]);
    expect(bed.loop.containment.runs.get("contain")?.steps[1]).toMatchObject({
      status: "skipped",
      detail: expect.stringMatching(/^blocked by paused: by ana/),
    });
  });

  it("does not hold an undo", async () => {
    const bed = bedOf({ store: createMemoryStore() });
    await bed.cycles(14);
    bed.fire();
    await bed.cycle();
    bed.loop.controls.pause({ by: "ana", reason: "stop" });
    bed.resolve();
    await bed.cycle();
    expect(bed.effects().slice(2)).toEqual(["unlimit", "release us-east-1"]);
  });

  it("that the disk does not take is in force all the same, and says so", async () => {
    const disk = createMemoryDisk();
    const w = world({ helps: false, disk });
    await w.cycles(2);
    disk.failWrites = "disk full";
    expect(() => w.loop.controls.pause({ by: "ana", reason: "stop" })).toThrow(/disk full/);
    disk.failWrites = undefined;
    await w.cycles(6);
    expect(w.fleet.calls).toEqual([]);
  });
});

describe("a silence", () => {
  it("holds what it names until it is lifted", async () => {
    const w = world({ helps: false });
    const { wallMs } = w.time.clock.now();
    const all = { target: "product-*", signal: "*", action: "*", author: "ana", reason: "deploy" };
    const silence = w.loop.controls.silence({ ...all, startsAtMs: wallMs, endsAtMs: wallMs + 3_600_000 });
    await w.cycles(8);
    expect(w.fleet.calls).toEqual([]);
    expect(w.reported.cycles.at(-1)?.decisions[0]).toMatchObject({ reason: "silenced" });
    expect(w.loop.controls.liftSilence(silence?.id ?? "", { by: "ana", reason: "done" })).toBe(true);
    expect(w.loop.controls.liftSilence("nothing", { by: "ana", reason: "done" })).toBe(false);
    await w.cycle();
    expect(w.fleet.effects).toHaveLength(1);
  });
});

describe("a storm", () => {
  it("holds every target when too many turn at risk together, and says how many", async () => {
    const time = virtualTime();
    const names = ["a", "b", "c", "d"];
    const level = sick(() => false);
    const w = worldOf({
      store: createMemoryStore(),
      time,
      sources: [scriptedSource(level)],
      settings: {
        targets: names.map((name) => targetOf(name)),
        guards: {
          ...GUARDS,
          storm: { share: 0.3, minTargets: 3, windowMs: 300_000, exitShare: 0.15, calmMs: 300_000 },
        },
      },
    });
    await w.cycles(20);
    expect(w.fleet.calls).toEqual([]);
    const newest = w.reported.cycles.at(-1);
    expect(newest && measuredAs(newest.guards, "predict_storm").get("")).toBe(1);
    expect(w.reported.cycles.at(-1)?.decisions.map((d) => d.reason)).toContain("storm_hold");
  });
});

describe("budgets", () => {
  it("of the fleet hold over a restart: the journal is what counts", async () => {
    const time = virtualTime();
    const disk = createMemoryDisk();
    const settings = {
      targets: ["a", "b", "c", "d"].map((name) => targetOf(name)),
      guards: { ...GUARDS, fleetCap: { actions: 2, windowMs: 3_600_000 } },
    };
    const start = () =>
      worldOf({
        store: createMemoryStore({ disk, clock: time.clock }),
        time,
        sources: [scriptedSource(sick(() => false))],
        settings,
      });
    const w = start();
    await w.cycles(10);
    expect(w.fleet.effects).toHaveLength(2);
    expect(w.reported.cycles.at(-1)?.decisions.map((d) => d.reason)).toContain("rate_cap_fleet");
    disk.crash();
    const again = start();
    await again.loop.start();
    await again.cycles(20);
    expect(again.fleet.effects).toEqual([]);
  });
});
