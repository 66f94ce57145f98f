import { describe, expect, it } from "vitest";
import type { Store } from "../../kernel/store.ts";
import { StoreError } from "../../kernel/store.ts";
import { createMemoryDisk, createMemoryStore } from "../../store/memory/index.ts";
import { scriptedSource, steep, targetOf, virtualTime } from "../cycle.testkit.ts";
import { type Bed, bedOf, GATEWAY, gatewaySource, playbookOf, stepOf } from "./playbooks.testkit.ts";

async function flooded(options: Partial<Parameters<typeof bedOf>[0]> = {}): Promise<Bed> {
  const bed = bedOf({ store: createMemoryStore(), ...options });
  await bed.cycles(14);
  return bed;
}

const statuses = (bed: Bed) => bed.loop.containment.runs.get("contain")?.steps.map((s) => s.status);
const settings = (over: object) => ({ targets: [GATEWAY], playbooks: [playbookOf()], ...over });

describe("a run that waits at a step", () => {
  const waiting = async (over: Partial<Parameters<typeof bedOf>[0]> = {}) => {
    const bed = await flooded(over);
    bed.fleet.answer = ({ kind }) => (kind === "execute" ? "lost" : "unknown");
    bed.fire();
    await bed.cycle();
    bed.fleet.answer = () => "applied";
    return bed;
  };

  it("skips what the playbook does not have any more", async () => {
    const bed = await waiting();
    bed.loop.reconfigure({ ...bed.loop.settings, playbooks: [playbookOf({ steps: [stepOf("retrain")] })] });
    await bed.cycle();
    expect(statuses(bed)).toEqual(["done", "skipped"]);
    expect(bed.loop.containment.runs.get("contain")?.steps[1]?.detail).toMatch(/playbook has changed/);
  });

  it("makes no further call once the monitor is stopping", async () => {
    const bed = await waiting();
    await bed.loop.tick();
    bed.time.advance(20_000);
    const other = await waiting();
    other.loop.stopActing();
    await other.cycle();
    expect(statuses(other)).toEqual(["pending", "pending"]);
  });

  it("is left there by a monitor that stops, and carried on by the next", async () => {
    const time = virtualTime();
    const disk = createMemoryDisk();
    const source = gatewaySource(time);
    const open = () => createMemoryStore({ disk, clock: time.clock });
    const first = await flooded({ store: open(), time, source });
    first.fleet.answer = () => {
      first.loop.stopActing();
      return "applied";
    };
    first.fire();
    await first.cycle();
    expect([first.effects(), statuses(first)]).toEqual([["isolate us-east-1"], ["done", "pending"]]);
    first.fleet.answer = () => "applied";
    disk.crash();
    const second = bedOf({ store: open(), time, source, fleet: first.fleet });
    await second.loop.start();
    await second.cycle();
    expect([second.effects(), statuses(second)]).toEqual([
      ["isolate us-east-1", "limit"],
      ["done", "done"],
    ]);
  });

  it("is not taken back before the outcome of its step is known", async () => {
    const bed = await flooded();
    bed.fleet.answer = ({ kind }) => (kind === "execute" ? "lost" : "unknown");
    bed.fire();
    await bed.cycle();
    bed.resolve();
    await bed.cycle();
    expect(statuses(bed)?.[0]).toBe("pending");
    expect(bed.loop.containment.runs.get("contain")?.status).toBe("undoing");
    bed.fleet.answer = () => "applied";
    await bed.cycles(2);
    expect(statuses(bed)).toEqual(["undone", "skipped"]);
  });
});

describe("steps without a region", () => {
  it("that need one are skipped, also without a precondition, and say why", async () => {
    const steps = [stepOf("isolate", { parameters: { region: "$region" } }), stepOf("limit")];
    const bed = await flooded({ flood: false, settings: settings({ playbooks: [playbookOf({ steps })] }) });
    bed.fire();
    await bed.cycle();
    expect(statuses(bed)).toEqual(["skipped", "done"]);
    expect(bed.loop.containment.runs.get("contain")?.steps[0]?.detail).toMatch(/^no region stands out: /);
  });

  it("that need one are skipped where the playbook compares none", async () => {
    const steps = [stepOf("isolate", { parameters: { region: "$region" } })];
    const { regionsOf: _none, ...plain } = playbookOf({ steps });
    const bed = await flooded({ settings: settings({ playbooks: [plain] }) });
    bed.fire();
    await bed.cycle();
    expect(bed.loop.containment.runs.get("contain")?.steps[0]).toMatchObject({
      status: "skipped",
      detail: "no region stands out: not known",
    });
    expect(bed.fleet.calls).toEqual([]);
  });

  it("are not taken back for all regions where it is not known for which", async () => {
    const steps = [stepOf("limit", { undo: { kind: "unlimit", parameters: { region: "$region" } } })];
    const bed = await flooded({ flood: false, settings: settings({ playbooks: [playbookOf({ steps })] }) });
    bed.fire();
    await bed.cycle();
    bed.resolve();
    await bed.cycle();
    expect(bed.effects()).toEqual(["limit"]);
    expect(bed.loop.containment.runs.get("contain")).toMatchObject({
      status: "ended",
      steps: [{ status: "kept", detail: "not taken back: which region it was for is not known" }],
    });
  });

  it("of a playbook that compares none carry on", async () => {
    const { regionsOf: _none, ...plain } = playbookOf({ steps: [stepOf("limit")] });
    const bed = await flooded({ settings: settings({ playbooks: [plain] }) });
    bed.fire();
    await bed.cycle();
    expect(bed.reported.actions[0]?.detail).toBe("playbook contain: limit, because BacklogHigh fires");
  });

  it("know why when the regions were never read", async () => {
    const time = virtualTime();
    const bed = await flooded({ time, source: scriptedSource(() => 100) });
    bed.fire();
    await bed.cycle();
    expect(bed.loop.containment.runs.get("contain")?.regionWhy).toMatch(/regions of gateway are not known/);
  });

  it("read from a source that fails are not known, and the others go on", async () => {
    const time = virtualTime();
    const broken = { ...gatewaySource(time), parts: async () => Promise.reject(new Error("defect")) };
    const bed = await flooded({ time, source: broken });
    bed.fire();
    await bed.cycle();
    expect(statuses(bed)).toEqual(["skipped", "done"]);
  });

  it("read as unusable decide nothing", async () => {
    const time = virtualTime();
    const unusable = { status: "stale" as const, source: "scripted", detail: "old" };
    const source = { ...gatewaySource(time), parts: async () => [unusable] };
    const bed = await flooded({ time, source });
    bed.fire();
    await bed.cycle();
    expect(statuses(bed)).toEqual(["skipped", "done"]);
  });
});

describe("preconditions on a signal", () => {
  const only = (above: number, signal = "memory") =>
    settings({
      playbooks: [
        playbookOf({
          steps: [
            stepOf("limit", { preconditions: [{ kind: "signal_above", target: "gateway", signal, above }] }),
          ],
        }),
      ],
    });
  it("hold on the newest value, and not on one that is unknown", async () => {
    for (const [config, wanted] of [
      [only(99), "done"],
      [only(101), "skipped"],
      [only(1, "nothing"), "skipped"],
    ] as const) {
      const bed = await flooded({ settings: config });
      bed.fire();
      await bed.cycle();
      expect(statuses(bed)).toEqual([wanted]);
    }
  });
});

describe("the kill switch", () => {
  it("leaves what was done to end by itself", async () => {
    const bed = await flooded();
    bed.fire();
    await bed.cycle();
    bed.loop.reconfigure({ ...bed.loop.settings, autoHeal: false });
    bed.resolve();
    await bed.cycles(2);
    expect(bed.effects()).toHaveLength(2);
    expect(bed.loop.containment.runs.get("contain")?.status).toBe("ended");
  });

  it("of the monitor that stops keeps it from taking back", async () => {
    const bed = await flooded();
    bed.fire();
    await bed.cycle();
    bed.loop.stopActing();
    bed.resolve();
    await bed.cycle();
    expect(bed.effects()).toHaveLength(2);
    expect(bed.loop.containment.runs.get("contain")?.status).toBe("undoing");
  });
});

describe("a lost answer to a taking back", () => {
  it("is asked for, and it is not done twice while it is open", async () => {
    const bed = await flooded();
    bed.fire();
    await bed.cycle();
    bed.fleet.answer = ({ kind }) => (kind === "execute" ? "lost" : "unknown");
    bed.resolve();
    await bed.cycles(2);
    const undos = () => bed.fleet.effects.filter((c) => c.intent.origin?.undoes !== undefined).length;
    expect(undos()).toBe(2);
    bed.fleet.answer = () => "applied";
    await bed.cycles(2);
    expect([undos(), statuses(bed)]).toEqual([2, ["undone", "undone"]]);
  });

  it("of a call that never arrived is made once more, and starts no cooldown", async () => {
    const bed = await flooded();
    bed.fire();
    await bed.cycle();
    const before = bed.store.load().lastActions;
    bed.fleet.answer = () => "unknown";
    bed.resolve();
    await bed.cycle();
    bed.fleet.answer = () => "applied";
    await bed.cycles(2);
    expect(statuses(bed)).toEqual(["undone", "undone"]);
    expect(bed.store.load().lastActions).toEqual(before);
  });
});

describe("a journal that fails", () => {
  it("in the middle of a run stops it there, and it goes on when the journal does", async () => {
    const disk = createMemoryDisk();
    const bed = await flooded({ store: createMemoryStore({ disk }) });
    bed.fleet.answer = ({ intent }) => {
      if (intent.kind === "isolate") disk.failWrites = "disk full";
      return "applied";
    };
    bed.fire();
    await bed.cycle();
    expect(bed.effects()).toEqual(["isolate us-east-1"]);
    disk.failWrites = undefined;
    bed.fleet.answer = () => "applied";
    await bed.cycles(2);
    expect(bed.effects()).toEqual(["isolate us-east-1", "limit"]);
    expect(statuses(bed)).toEqual(["done", "done"]);
  });

  it("before a call makes the run wait at that step", async () => {
    const inner = createMemoryStore();
    let broken = true;
    const store: Store = {
      ...inner,
      recordIntent: (intent) => {
        if (broken && intent.kind === "limit") throw new StoreError("disk full");
        inner.recordIntent(intent);
      },
    };
    const bed = await flooded({ store });
    bed.fire();
    await bed.cycle();
    expect([bed.effects(), statuses(bed)]).toEqual([["isolate us-east-1"], ["done", "pending"]]);
    expect(bed.reported.actions).toHaveLength(1);
    broken = false;
    await bed.cycle();
    expect([bed.effects(), statuses(bed)]).toEqual([
      ["isolate us-east-1", "limit"],
      ["done", "done"],
    ]);
  });

  it("at a taking back keeps it for later", async () => {
    const disk = createMemoryDisk();
    const bed = await flooded({ store: createMemoryStore({ disk }) });
    bed.fire();
    await bed.cycle();
    bed.resolve();
    disk.failWrites = "disk full";
    await bed.cycle();
    expect(bed.effects()).toHaveLength(2);
    disk.failWrites = undefined;
    await bed.cycle();
    expect(bed.effects().slice(2)).toEqual(["unlimit", "release us-east-1"]);
  });

  it("when it is read holds the run, in words", async () => {
    const inner = createMemoryStore();
    let broken = false;
    const store: Store = {
      ...inner,
      entry: (id) => {
        if (broken) throw new StoreError("input/output error");
        return inner.entry(id);
      },
    };
    const bed = await flooded({ store });
    broken = true;
    bed.fire();
    await bed.cycle();
    expect(bed.effects()).toEqual([]);
    expect(bed.reported.notices.map((n) => n.event)).toContain("journal unavailable");
    broken = false;
    await bed.cycle();
    expect(bed.effects()).toEqual(["isolate us-east-1", "limit"]);
  });
});

describe("a run that came to nothing", () => {
  it("counts as a try that did not help, refused or failed", async () => {
    for (const answer of ["refused", "failed"] as const) {
      const bed = await flooded();
      bed.fleet.answer = () => answer;
      bed.fire();
      await bed.cycle();
      expect(bed.loop.controls.verification.targets.gateway?.attempts.map((t) => t.outcome)).toEqual([
        answer,
      ]);
    }
  });

  it("because every step was skipped counts as nothing", async () => {
    const steps = [stepOf("isolate", { parameters: { region: "$region" } })];
    const bed = await flooded({ flood: false, settings: settings({ playbooks: [playbookOf({ steps })] }) });
    bed.fire();
    await bed.cycle();
    expect(bed.loop.controls.verification.targets).toEqual({});
  });
});

describe("a forecast whose playbook cannot start", () => {
  it("is held for the playbook's reason", async () => {
    const time = virtualTime();
    const busy = targetOf("elsewhere", { signals: [] });
    const playbook = playbookOf({ steps: [stepOf("limit"), stepOf("retrain", { on: busy })] });
    const other = playbookOf({ name: "first", steps: [stepOf("retrain", { on: busy })] });
    const { forecast: _none, ...first } = { ...other, alert: { name: "Early", labels: {} } };
    const bed = bedOf({
      store: createMemoryStore(),
      time,
      level: steep(time),
      settings: settings({ playbooks: [first, playbook] }),
    });
    bed.fire({ name: "Early", fingerprint: "00000000000000e1", labels: { alertname: "Early" } });
    let report = await bed.cycle();
    for (let n = 0; n < 8 && report.decisions[0]?.trigger === undefined; n++) report = await bed.cycle();
    expect(report.decisions[0]).toMatchObject({
      act: false,
      reason: "cooldown_active",
      detail: expect.stringMatching(/^playbook contain: elsewhere: /),
    });
    expect(report.decisions[0]?.untilMs).toBeGreaterThan(report.at.wallMs);
  });
});

describe("guards over the targets of a playbook", () => {
  it("are all asked: the fleet's budget takes all of a run or nothing of it", async () => {
    const other = targetOf("elsewhere", { signals: [] });
    const playbook = playbookOf({ steps: [stepOf("limit"), stepOf("retrain", { on: other })] });
    const bed = await flooded({ settings: settings({ playbooks: [playbook] }) });
    const { guards } = bed.loop.settings;
    bed.loop.reconfigure({
      ...bed.loop.settings,
      guards: { ...guards, fleetCap: { actions: 1, windowMs: 600_000 } },
    });
    bed.fire();
    const report = await bed.cycle();
    expect(bed.effects()).toEqual([]);
    expect(report.playbooks[0]).toMatchObject({ act: false, reason: "rate_cap_fleet" });
    expect(report.guards.blocked).toEqual([
      { guard: "rate_cap_fleet", target: expect.any(String), signal: "contain" },
    ]);
  });
});
