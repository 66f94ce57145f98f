import { describe, expect, it } from "vitest";
import { measuredAs } from "../../guards/guard.ts";
import { BUDGET_LEFT } from "../../guards/rate-cap/index.ts";
import type { Store } from "../../kernel/store.ts";
import { createMemoryDisk, createMemoryStore } from "../../store/memory/index.ts";
import { CYCLE_MS, GUARDS, settingsOf, steep, targetOf, virtualTime } from "../cycle.testkit.ts";
import { type Bed, bedOf, GATEWAY, playbookOf, stepOf } from "./playbooks.testkit.ts";

const workload = targetOf("mlflow-tracker", { signals: [] });

describe("a playbook that only a forecast starts", () => {
  const { alert: _none, ...foreseen } = playbookOf({ steps: [stepOf("limit")] });

  it("is not started by any alert", async () => {
    const bed = bedOf({
      store: createMemoryStore(),
      settings: { targets: [GATEWAY], playbooks: [foreseen] },
    });
    bed.fire();
    expect((await bed.cycles(3)).playbooks).toEqual([]);
    expect(bed.effects()).toEqual([]);
  });

  it("is started by its forecast, and held back by a silence of that signal", async () => {
    const time = virtualTime();
    const bed = bedOf({
      store: createMemoryStore(),
      time,
      level: steep(time),
      settings: { targets: [GATEWAY], playbooks: [foreseen] },
    });
    const { wallMs } = time.clock.now();
    const silence = bed.loop.controls.silence({
      target: "*",
      signal: "memory",
      action: "limit",
      author: "ana",
      reason: "load test",
      startsAtMs: wallMs,
      endsAtMs: wallMs + 3_600_000,
    });
    const held = await bed.cycles(6);
    expect(held.playbooks[0]).toMatchObject({ act: false, reason: "silenced", blockedBy: "gateway" });
    expect(bed.effects()).toEqual([]);
    bed.loop.controls.liftSilence(silence?.id ?? "", { by: "ana", reason: "over" });
    await bed.cycle();
    expect(bed.effects()).toEqual(["limit"]);
  });
});

/** The monitor is told to stop as soon as a run is on disk, before its first step. */
function stopAtRun(store: Store, { loop }: Bed): void {
  const { saveDocuments } = store;
  store.saveDocuments = (documents) => {
    saveDocuments(documents);
    if (documents.some(({ kind }) => kind === "run")) loop.stopActing();
  };
}

describe("a forecast whose playbook the disk does not take", () => {
  it("is not acted on, and says so; and is acted on when it is foreseen again", async () => {
    const time = virtualTime();
    const disk = createMemoryDisk();
    const { alert: _none, ...foreseen } = playbookOf({ steps: [stepOf("limit")] });
    const bed = bedOf({
      store: createMemoryStore({ disk, clock: time.clock }),
      time,
      level: steep(time),
      settings: { targets: [GATEWAY], playbooks: [foreseen] },
    });
    disk.failWrites = "ENOSPC";
    const full = await bed.cycles(6);
    expect(full.decisions[0]).toMatchObject({
      act: false,
      reason: "journal_unavailable",
      trigger: "pre_timeout",
      detail: "playbook contain: it cannot be written down",
    });
    disk.failWrites = undefined;
    const free = await bed.cycle();
    expect(free.decisions[0]).toMatchObject({ act: true });
    expect(bed.effects()).toEqual(["limit"]);
  });
});

describe("a run that a forecast started and a stop kept from its first step", () => {
  it("is not carried out by the next life: what was foreseen then is not foreseen now", async () => {
    const time = virtualTime();
    const disk = createMemoryDisk();
    const noRegion = stepOf("isolate", { preconditions: [{ kind: "region_known" }] });
    const { alert: _none, ...foreseen } = playbookOf({
      steps: [noRegion, stepOf("limit"), stepOf("retrain")],
    });
    const settings = { targets: [GATEWAY], playbooks: [foreseen] };
    const store = createMemoryStore({ disk, clock: time.clock });
    const first = bedOf({ store, time, level: steep(time), settings });
    stopAtRun(store, first);
    await first.cycles(6);
    expect(first.loop.containment.runs.get("contain")).toMatchObject({ status: "running" });
    expect(first.effects()).toEqual([]);

    disk.crash();
    const second = bedOf({ store: createMemoryStore({ disk, clock: time.clock }), time, settings });
    await second.loop.start();
    await second.cycle();
    expect(second.effects()).toEqual([]);
    const run = second.loop.containment.runs.get("contain");
    expect(run).toMatchObject({ status: "ended" });
    expect(run?.steps.map(({ status }) => status)).toEqual(["skipped", "skipped", "skipped"]);
    expect(run?.steps[1]?.detail).toContain("what is known now counts");
  });
});

describe("a run that an alert started and a stop kept from its first step", () => {
  it("is started anew by the next life, and has its place in the budgets there", async () => {
    const time = virtualTime();
    const disk = createMemoryDisk();
    const store = createMemoryStore({ disk, clock: time.clock });
    const { forecast: _none, ...told } = playbookOf({ steps: [stepOf("limit")] });
    const settings = { targets: [GATEWAY], playbooks: [told] };
    const first = bedOf({ store, time, settings });
    stopAtRun(store, first);
    first.fire();
    await first.cycle();
    expect(first.effects()).toEqual([]);

    disk.crash();
    const second = bedOf({ store: createMemoryStore({ disk, clock: time.clock }), time, settings });
    await second.loop.start();
    const { guards } = await second.cycle();
    expect(second.effects()).toEqual(["limit"]);
    const { actions } = second.loop.settings.guards.fleetCap;
    expect(measuredAs(guards, BUDGET_LEFT).get("fleet")).toBe(actions - 1);
  });
});

describe("a run that an alert started and a full disk kept from its first step", () => {
  const { forecast: _none, ...told } = playbookOf({ steps: [stepOf("limit")] });
  const windowMs = 600_000;
  const staleMs = settingsOf().alertStaleMs;
  const world = (actions: number) => {
    const time = virtualTime();
    const disk = createMemoryDisk();
    const cap = { actions, windowMs };
    const guards = { ...GUARDS, fleetCap: cap, targetCap: cap };
    const store = createMemoryStore({ disk, clock: time.clock });
    const bed = bedOf({ store, time, settings: { targets: [GATEWAY], playbooks: [told], guards } });
    const fleetLeft = async () => measuredAs((await bed.cycle()).guards, BUDGET_LEFT).get("fleet");
    return { disk, bed, fleetLeft };
  };

  it("has its place in the budgets from when it is carried out, not from when it was started", async () => {
    const { disk, bed, fleetLeft } = world(3);
    bed.fire();
    disk.failWrites = "ENOSPC";
    await bed.cycles(windowMs / CYCLE_MS - 2);
    expect(bed.effects()).toEqual([]);
    disk.failWrites = undefined;
    bed.fire();
    expect(await fleetLeft()).toBe(2);
    expect(bed.effects()).toEqual(["limit"]);
    // Its start has left the window; what it did has not.
    await bed.cycles(4);
    expect(await fleetLeft()).toBe(2);
  });

  it("lapses: what is told and chosen when the disk has room again counts, not what was then", async () => {
    const { disk, bed } = world(3);
    bed.fire({ fingerprint: "a" });
    disk.failWrites = "ENOSPC";
    const full = await bed.cycle();
    expect(full.playbooks[0]).toMatchObject({
      act: false,
      reason: "journal_unavailable",
      detail: "it cannot be written down",
    });
    const kept = bed.loop.containment.runs.get("contain");
    await bed.cycles(staleMs / CYCLE_MS + 2);
    disk.failWrites = undefined;
    const stale = await bed.cycle();
    expect(stale.playbooks[0]).toMatchObject({ act: false, reason: "alert_stale" });
    expect(bed.effects()).toEqual([]);
    bed.fire({ fingerprint: "b" });
    await bed.cycle();
    expect(bed.effects()).toEqual(["limit"]);
    const run = bed.loop.containment.runs.get("contain");
    expect(run?.id).not.toBe(kept?.id);
    expect(run?.episodes.map(({ fingerprint }) => fingerprint)).toEqual(["b"]);
    expect(bed.store.recent(1)[0]?.intent.origin).toMatchObject({ run: run?.id, alert: "b" });
  });

  it("is not carried out while nobody can tell whether it has called", async () => {
    const { disk, bed } = world(3);
    bed.fire();
    disk.failWrites = "ENOSPC";
    await bed.cycle();
    disk.failWrites = undefined;
    const { entry } = bed.store;
    let asked = 0;
    bed.store.entry = (id) => {
      asked += 1;
      if (asked === 1) throw new Error("EIO");
      return entry(id);
    };
    await bed.cycle();
    expect(asked).toBeGreaterThan(1);
    expect(bed.effects()).toEqual([]);
    await bed.cycle();
    expect(bed.effects()).toEqual(["limit"]);
  });

  it("is not held back by its own place", async () => {
    const { disk, bed } = world(1);
    bed.fire();
    disk.failWrites = "ENOSPC";
    await bed.cycles(3);
    disk.failWrites = undefined;
    await bed.cycles(2);
    expect(bed.effects()).toEqual(["limit"]);
  });
});

describe("a run that an alert started and a crash kept from its first step, in a crash loop", () => {
  const { forecast: _none, ...told } = playbookOf({ steps: [stepOf("limit")] });
  const settings = {
    targets: [GATEWAY],
    playbooks: [told],
    guards: { ...GUARDS, startup: { starts: 2, windowMs: 600_000, quietMs: 300_000 } },
  };
  const secondLife = async () => {
    const time = virtualTime();
    const disk = createMemoryDisk();
    const store = createMemoryStore({ disk, clock: time.clock });
    const first = bedOf({ store, time, settings });
    await first.loop.start();
    stopAtRun(store, first);
    first.fire();
    await first.cycle();
    disk.crash();
    const again = createMemoryStore({ disk, clock: time.clock });
    const second = bedOf({ store: again, time, settings });
    await second.loop.start();
    const held = await second.cycles(3);
    return { second, again, held, step: () => second.loop.containment.runs.get("contain")?.steps[0] };
  };

  it("lapses, and its playbook is held until the loop is over, and started then", async () => {
    const { second, again, held, step } = await secondLife();
    expect(second.effects()).toEqual([]);
    expect(again.recent(10)).toEqual([]);
    expect(held.playbooks[0]).toMatchObject({ act: false, reason: "startup_hold" });
    await second.cycles(10);
    expect(second.effects()).toEqual(["limit"]);
    expect(step()).toMatchObject({ status: "done" });
  });

  it("is not carried out when the alert ends meanwhile", async () => {
    const { second, step } = await secondLife();
    second.resolve();
    await second.cycles(12);
    expect(second.effects()).toEqual([]);
    expect(step()).toMatchObject({ status: "skipped" });
  });
});

describe("a run that an alert started", () => {
  const { forecast: _none, ...restart } = playbookOf({
    steps: [stepOf("retrain", { on: workload })],
  });

  it.each([
    ["speaks of the alert's job", { alertname: "BacklogHigh", job: "gateway" }, "gateway"],
    ["speaks of what it acts on where the alert has none", { alertname: "BacklogHigh" }, "mlflow-tracker"],
  ])("%s", async (_name, labels, target) => {
    const bed = bedOf({ store: createMemoryStore(), settings: { targets: [GATEWAY], playbooks: [restart] } });
    bed.fire({ labels });
    await bed.cycle();
    expect(bed.loop.containment.runs.get("contain")).toMatchObject({
      cause: "alert",
      target,
      signal: "BacklogHigh",
      predictor: "alertmanager",
    });
  });
});

describe("a forecast whose playbook is under way already", () => {
  it("is held, without an end: nobody knows when the answer comes", async () => {
    const time = virtualTime();
    const bed = bedOf({
      store: createMemoryStore(),
      time,
      level: steep(time),
      settings: {
        targets: [GATEWAY],
        playbooks: [playbookOf({ steps: [stepOf("retrain", { on: workload })] })],
        intentTtlMs: 3_600_000,
      },
    });
    bed.fleet.answer = ({ kind }) => (kind === "execute" ? "lost" : "unknown");
    bed.fire({ labels: { alertname: "BacklogHigh" } });
    let report = await bed.cycle();
    for (let n = 0; n < 8 && report.decisions[0]?.trigger === undefined; n++) report = await bed.cycle();
    const run = bed.loop.containment.runs.get("contain");
    expect(run?.status).toBe("running");
    expect(report.decisions[0]).toMatchObject({
      act: false,
      reason: "already_contained",
      trigger: "pre_timeout",
      detail: `playbook contain: run ${run?.id} of it is under way`,
      untilMs: undefined,
    });
  });
});
