import { describe, expect, it } from "vitest";
import { createMemoryDisk, createMemoryStore } from "../../store/memory/index.ts";
import { steep, targetOf, virtualTime } from "../cycle.testkit.ts";
import { type Bed, bedOf, GATEWAY, gatewaySource, playbookOf, stepOf } from "./playbooks.testkit.ts";

/** A gateway whose region us-east-1 has flooded for a while. */
async function flooded(options: Partial<Parameters<typeof bedOf>[0]> = {}): Promise<Bed> {
  const bed = bedOf({ store: createMemoryStore(), ...options });
  await bed.cycles(14);
  return bed;
}

const last = (bed: Bed) => bed.reported.cycles.at(-1)?.playbooks[0];

describe("an alert that fires", () => {
  it("runs its steps in order, once, on the region that stands out", async () => {
    const bed = await flooded();
    expect(bed.effects()).toEqual([]);
    bed.fire();
    await bed.cycle();
    expect(bed.effects()).toEqual(["isolate us-east-1", "limit"]);
    expect(bed.fleet.effects.map((c) => c.intent)).toMatchObject([
      { trigger: "alert", signal: "BacklogHigh", parameters: { region: "us-east-1", seconds: "600" } },
      { origin: { playbook: "contain", step: 1, alert: "00000000000000f1" } },
    ]);
    expect(last(bed)).toMatchObject({ act: true, reason: "alert", detail: "BacklogHigh fires" });
    await bed.cycles(5);
    expect(bed.effects()).toHaveLength(2);
    expect(last(bed)).toMatchObject({ act: false, reason: "already_contained" });
    const now = bed.time.clock.now();
    expect(last(bed)?.untilMs).toBeGreaterThan(now.wallMs);
    expect(last(bed)?.untilMs).toBeLessThanOrEqual(now.wallMs + 600_000);
  });

  it("tells each action with its playbook, region and reason", async () => {
    const bed = await flooded();
    bed.fire();
    await bed.cycle();
    expect(bed.reported.actions.map((a) => a.detail)).toEqual([
      expect.stringMatching(
        /^playbook contain: isolate region=us-east-1 seconds=600, because BacklogHigh fires; region us-east-1: /,
      ),
      expect.stringMatching(/^playbook contain: limit per_second=5 seconds=600, because BacklogHigh fires/),
    ]);
  });

  it("starts again while it goes on, once what was done has ended by itself", async () => {
    const bed = await flooded();
    for (let n = 0; n < 24; n++) {
      bed.fire();
      await bed.cycle();
    }
    const starts = bed.fleet.effects.filter((c) => c.intent.kind === "limit").map((c) => c.monoMs);
    expect(starts).toHaveLength(2);
    expect((starts[1] as number) - (starts[0] as number)).toBeGreaterThanOrEqual(600_000);
  });

  it("without a region that stands out only cuts the rate, and says why", async () => {
    const bed = await flooded({ flood: false });
    bed.fire();
    await bed.cycle();
    expect(bed.effects()).toEqual(["limit"]);
    const run = bed.loop.containment.runs.get("contain");
    expect(run?.steps[0]).toMatchObject({
      status: "skipped",
      detail: expect.stringMatching(/no region stands out/),
    });
    expect(run?.status).toBe("done");
  });

  it("is held by the target's cooldown, with its end, and acted on after it", async () => {
    const time = virtualTime();
    const bed = bedOf({
      store: createMemoryStore(),
      time,
      level: steep(time),
      settings: { playbooks: [playbookOf({ forecast: { target: "gateway", signal: "other" } })] },
    });
    await bed.cycles(5);
    expect(bed.effects()).toEqual(["mitigate"]);
    bed.fire();
    const report = await bed.cycle();
    expect(report.playbooks[0]).toMatchObject({
      act: false,
      reason: "cooldown_active",
      blockedBy: "gateway",
    });
    expect(report.playbooks[0]?.untilMs).toBe(
      (bed.fleet.effects[0]?.monoMs ?? 0) + 300_000 + report.at.wallMs - report.at.monoMs,
    );
    for (let n = 0; n < 12; n++) {
      bed.fire();
      await bed.cycle();
    }
    expect(bed.effects().slice(1)).toEqual(["isolate us-east-1", "limit"]);
  });

  it("is not acted on when it was not heard of for too long", async () => {
    const bed = await flooded({
      settings: { alertStaleMs: 60_000, playbooks: [playbookOf()], targets: [GATEWAY] },
    });
    bed.fire();
    bed.time.advance(60_001);
    await bed.cycle();
    expect(bed.effects()).toEqual([]);
    expect(last(bed)).toMatchObject({ act: false, reason: "alert_stale" });
  });

  it("of another name or label starts nothing", async () => {
    const bed = await flooded();
    bed.fire({ name: "Other", fingerprint: "00000000000000f2" });
    await bed.cycle();
    expect([bed.effects(), bed.reported.cycles.at(-1)?.playbooks]).toEqual([[], []]);
  });

  it("goes on with the next step when one certainly failed", async () => {
    const bed = await flooded();
    bed.fleet.answer = ({ intent }) => (intent.kind === "isolate" ? "failed" : "applied");
    bed.fire();
    await bed.cycle();
    expect(bed.effects()).toEqual(["limit"]);
    expect(bed.loop.containment.runs.get("contain")?.steps.map((s) => s.status)).toEqual(["failed", "done"]);
  });

  it("waits at a step whose answer was lost, and goes on when it is known", async () => {
    const bed = await flooded();
    bed.fleet.answer = ({ kind }) => (kind === "execute" ? "lost" : "unknown");
    bed.fire();
    await bed.cycle();
    expect(bed.effects()).toEqual(["isolate us-east-1"]);
    await bed.cycle();
    expect(bed.effects()).toHaveLength(1);
    bed.fleet.answer = () => "applied";
    await bed.cycle();
    expect(bed.effects()).toEqual(["isolate us-east-1", "limit"]);
    expect(bed.loop.containment.runs.get("contain")).toMatchObject({ status: "done" });
  });

  it("is imagined in shadow mode, once", async () => {
    const bed = await flooded({
      settings: { autoHeal: false, playbooks: [playbookOf()], targets: [GATEWAY] },
    });
    bed.fire();
    await bed.cycles(4);
    expect(bed.fleet.calls).toEqual([]);
    expect(bed.reported.actions.map((a) => [a.mode, a.intent.kind])).toEqual([
      ["shadow", "isolate"],
      ["shadow", "limit"],
    ]);
    bed.resolve();
    await bed.cycles(2);
    expect(bed.reported.actions).toHaveLength(2);
  });

  it("does nothing while the journal takes nothing, and acts when it does", async () => {
    const disk = createMemoryDisk();
    const bed = await flooded({ store: createMemoryStore({ disk }) });
    bed.fire();
    disk.failWrites = "disk full";
    await bed.cycles(2);
    expect(bed.fleet.calls).toEqual([]);
    expect(bed.reported.notices.map((n) => n.event)).toContain("journal unavailable");
    expect(() => bed.fire({ fingerprint: "00000000000000f3" })).toThrow(/disk full/);
    disk.failWrites = undefined;
    await bed.cycle();
    expect(bed.effects()).toEqual(["isolate us-east-1", "limit"]);
  });
});

describe("a resolved alert", () => {
  it("takes back what was done, the last step first, whatever the cooldown says", async () => {
    const bed = await flooded();
    bed.fire();
    await bed.cycles(2);
    bed.resolve();
    await bed.cycle();
    expect(bed.effects().slice(2)).toEqual(["unlimit", "release us-east-1"]);
    expect(bed.fleet.effects[2]?.intent.origin?.undoes).toBe(bed.fleet.effects[1]?.intent.id);
    await bed.cycles(3);
    expect(bed.effects()).toHaveLength(4);
    expect(bed.loop.containment.runs.get("contain")?.status).toBe("ended");
  });

  it("starts no cooldown by taking back", async () => {
    const bed = await flooded();
    bed.fire();
    await bed.cycle();
    const at = bed.store.load().lastActions;
    bed.resolve();
    await bed.cycles(2);
    expect(bed.store.load().lastActions).toEqual(at);
  });

  it("tries again what could not be taken back, and lets go after a while", async () => {
    const bed = await flooded();
    bed.fire();
    await bed.cycle();
    bed.fleet.answer = ({ intent }) => (intent.kind === "release" ? "failed" : "applied");
    bed.resolve();
    await bed.cycles(12);
    const run = bed.loop.containment.runs.get("contain");
    expect(run?.steps.map((s) => s.status)).toEqual(["kept", "undone"]);
    expect(bed.fleet.calls.filter((c) => c.intent.kind === "release")).toHaveLength(10);
    expect(run?.status).toBe("ended");
  });

  it("takes nothing back that has ended by itself, and nothing while the alert is not known to be over", async () => {
    const settings = { alertStaleMs: 300_000, playbooks: [playbookOf()], targets: [GATEWAY] };
    const bed = await flooded({ settings });
    bed.fire();
    await bed.cycles(25);
    expect(bed.effects()).toHaveLength(2);
    bed.resolve();
    await bed.cycles(2);
    expect(bed.effects()).toHaveLength(2);
  });

  it("stops what was not carried out yet", async () => {
    const bed = await flooded();
    bed.fleet.answer = ({ kind }) => (kind === "execute" ? "lost" : "unknown");
    bed.fire();
    await bed.cycle();
    bed.resolve();
    bed.fleet.answer = () => "applied";
    await bed.cycles(2);
    expect(bed.effects()).toEqual(["isolate us-east-1", "release us-east-1"]);
    expect(bed.loop.containment.runs.get("contain")?.steps[1]).toMatchObject({ status: "skipped" });
  });

  it("told late, twice or before its start does no harm", async () => {
    const bed = await flooded();
    bed.resolve();
    await bed.cycle();
    bed.fire();
    await bed.cycle();
    expect(bed.effects()).toEqual([]);
    bed.resolve();
    await bed.cycle();
    expect(bed.fleet.calls).toEqual([]);
  });
});

describe("a forecast that a playbook answers", () => {
  const rising = async (over: Partial<Parameters<typeof bedOf>[0]> = {}) => {
    const time = virtualTime();
    const bed = bedOf({ store: createMemoryStore(), time, level: steep(time), ...over });
    while (bed.reported.actions.length === 0 && bed.reported.cycles.length < 20) await bed.cycle();
    return bed;
  };

  it("runs it in place of the plain mitigation, with the forecast as its evidence", async () => {
    const bed = await rising();
    expect(bed.effects()).toEqual(["limit"]);
    expect(bed.fleet.effects[0]?.intent).toMatchObject({
      trigger: "pre_timeout",
      signal: "memory",
      threshold: 5000,
    });
    expect(bed.reported.cycles.at(-1)?.decisions[0]).toMatchObject({ act: true, reason: "pre_timeout" });
    expect(bed.reported.cycles.at(-1)?.actionTaken).toBe("mitigation");
  });

  it("is joined by the alert that comes later, and taken back when that ends", async () => {
    const bed = await rising();
    bed.fire();
    await bed.cycle();
    expect(last(bed)).toMatchObject({ act: false, reason: "already_contained" });
    bed.resolve();
    await bed.cycle();
    expect(bed.effects()).toEqual(["limit", "unlimit"]);
  });

  it("is left to end by itself when no alert ever fired", async () => {
    const bed = await rising({
      flood: false,
      settings: { targets: [{ ...GATEWAY, cooldownMs: 3_600_000 }], playbooks: [playbookOf()] },
    });
    await bed.cycles(30);
    expect(bed.effects()).toEqual(["limit"]);
  });

  it("does not mitigate a target that a playbook acts on in the same cycle", async () => {
    const time = virtualTime();
    const bed = bedOf({
      store: createMemoryStore(),
      time,
      level: steep(time),
      settings: { playbooks: [playbookOf({ forecast: { target: "gateway", signal: "other" } })] },
    });
    await bed.cycles(4);
    bed.fire();
    const report = await bed.cycle();
    expect(bed.effects()).toEqual(["limit"]);
    expect(report.decisions[0]).toMatchObject({
      act: false,
      reason: "covered_by_playbook",
      trigger: "pre_timeout",
    });
  });
});

describe("two playbooks", () => {
  it("do not act on one target in one cycle", async () => {
    const other = playbookOf({ name: "second", steps: [stepOf("retrain")] });
    const bed = await flooded({ settings: { playbooks: [playbookOf(), other] } });
    bed.fire();
    const report = await bed.cycle();
    expect(bed.effects()).toEqual(["isolate us-east-1", "limit"]);
    expect(report.playbooks[1]).toMatchObject({
      act: false,
      reason: "covered_by_playbook",
      blockedBy: "gateway",
    });
  });

  it("act on what is not watched: a workload has its cooldown too", async () => {
    const workload = targetOf("mlflow-tracker", { signals: [] });
    const restart = playbookOf({ steps: [stepOf("retrain", { on: workload })] });
    const bed = await flooded({ settings: { playbooks: [restart] } });
    for (let n = 0; n < 12; n++) {
      bed.fire();
      await bed.cycle();
    }
    const at = bed.fleet.effects.map((c) => c.monoMs);
    expect(bed.fleet.effects.every((c) => c.intent.target === "mlflow-tracker")).toBe(true);
    expect(at).toHaveLength(2);
    expect((at[1] as number) - (at[0] as number)).toBeGreaterThanOrEqual(300_000);
  });
});

describe("a reload", () => {
  it("keeps what runs know: a playbook that is gone is still taken back", async () => {
    const bed = await flooded();
    bed.fire();
    await bed.cycle();
    bed.loop.reconfigure({ ...bed.loop.settings, playbooks: [] });
    bed.resolve();
    await bed.cycle();
    expect(bed.effects().slice(2)).toEqual(["unlimit", "release us-east-1"]);
  });
});

describe("a restart", () => {
  it("remembers alerts and runs: nothing is done twice, and the end of the alert still takes back", async () => {
    const disk = createMemoryDisk();
    const time = virtualTime();
    const source = gatewaySource(time);
    const first = await flooded({ store: createMemoryStore({ disk, clock: time.clock }), time, source });
    first.fire();
    await first.cycle();
    disk.crash();
    const store = createMemoryStore({ disk, clock: time.clock });
    const second = bedOf({ store, time, source, fleet: first.fleet });
    await second.loop.start();
    await second.cycle();
    expect(second.effects()).toEqual(["isolate us-east-1", "limit"]);
    expect(last(second)).toMatchObject({ reason: "already_contained" });
    second.resolve({ startsAtMs: [...second.loop.containment.inbox.values()][0]?.startsAtMs ?? 0 });
    await second.cycle();
    expect(second.effects().slice(2)).toEqual(["unlimit", "release us-east-1"]);
  });

  it("of the machine: what a run did counts from there, once, and ends", async () => {
    const disk = createMemoryDisk();
    const first = await flooded({ store: createMemoryStore({ disk }) });
    first.fire();
    await first.cycle();
    expect(first.effects()).toEqual(["isolate us-east-1", "limit"]);
    disk.crash();
    const time = virtualTime("boot-2");
    const source = gatewaySource(time);
    const second = bedOf({ store: createMemoryStore({ disk, clock: time.clock }), time, source });
    await second.loop.start();
    const reasons = new Set<string>();
    for (let n = 0; n < 30; n += 1) {
      if (n % 5 === 0) second.fire();
      await second.cycle();
      const decision = last(second);
      reasons.add(decision?.reason ?? "none");
    }
    expect([...reasons]).toContain("already_contained");
    // Ten minutes after the start it is over, and what still fires is contained anew, once.
    expect(second.effects()).toEqual(["isolate us-east-1", "limit"]);
    expect(second.fleet.effects[0]?.monoMs).toBeGreaterThanOrEqual(1_000_000 + 600_000);
  });
});
