import { describe, expect, it } from "vitest";
import { createMemoryDisk, createMemoryStore, type MemoryDisk } from "../store/memory/index.ts";
import {
  createFleet,
  creeping,
  type Fleet,
  scriptedSource,
  settingsOf,
  steep,
  targetOf,
  type VirtualTime,
  virtualTime,
  worldOf,
} from "./cycle.testkit.ts";

/** A monitor that can be killed and started again on the same disk, clocks and services. */
function machine(
  options: { settings?: Parameters<typeof settingsOf>[0]; value?: (time: VirtualTime) => () => number } = {},
) {
  const time = virtualTime();
  const disk = createMemoryDisk();
  const fleet = createFleet(time.clock);
  const value = (options.value ?? steep)(time);
  const start = async (how: { time?: VirtualTime; settings?: Parameters<typeof settingsOf>[0] } = {}) => {
    disk.crash();
    const at = how.time ?? time;
    const w = worldOf({
      store: createMemoryStore({ disk, clock: at.clock }),
      time: at,
      fleet,
      sources: [scriptedSource(value)],
      settings: how.settings ?? options.settings ?? {},
    });
    await w.loop.start();
    return w;
  };
  return { time, disk, fleet, start };
}

/** A monitor that acted in its fifth cycle. */
async function acted(answer: Fleet["answer"] = () => "applied") {
  const m = machine();
  m.fleet.answer = answer;
  const w = await m.start();
  await w.cycles(5);
  return { ...m, w };
}

function stored(disk: MemoryDisk) {
  disk.crash();
  return createMemoryStore({ disk });
}

describe("after a restart", () => {
  it("the cooldown goes on where it was, and not a millisecond less", async () => {
    const m = await acted();
    const first = m.fleet.effects[0]!.monoMs;
    const w = await m.start();
    for (let n = 0; n < 30 && m.fleet.effects.length < 2; n++) await w.cycle();
    expect(m.fleet.effects).toHaveLength(2);
    const gap = m.fleet.effects[1]!.monoMs - first;
    expect(gap).toBeGreaterThanOrEqual(300_000);
    expect(gap).toBeLessThan(300_000 + 2 * 30_000);
  });

  it("of the machine, a full cooldown is assumed, however much wall time has passed", async () => {
    const m = await acted();
    const rebooted = virtualTime("boot-2", 5_000);
    rebooted.jumpWall(86_400_000);
    const began = rebooted.clock.now().monoMs;
    const fleet = createFleet(rebooted.clock);
    m.disk.crash();
    const w = worldOf({
      store: createMemoryStore({ disk: m.disk, clock: rebooted.clock }),
      time: rebooted,
      fleet,
    });
    await w.loop.start();
    await w.cycles(8);
    expect(w.reported.cycles.at(-1)?.decisions[0]?.reason).toBe("cooldown_active");
    await w.cycles(6);
    expect(fleet.effects[0]!.monoMs - began).toBeGreaterThanOrEqual(300_000);
  });

  it("with state that was lost, every target counts as just acted on, also one that a reload adds", async () => {
    const m = await acted();
    m.time.advance(400_000);
    m.disk.damage("checksum");
    const w = await m.start();
    expect(w.reported.notices[0]).toMatchObject({ event: "state quarantined, full cooldown assumed" });
    w.loop.reconfigure(settingsOf({ targets: [targetOf(), targetOf("late")] }));
    await w.cycles(10);
    expect(m.fleet.effects).toHaveLength(1);
    expect(w.reported.cycles.at(-1)?.decisions.map((d) => d.reason)).toEqual([
      "cooldown_active",
      "cooldown_active",
    ]);
    await w.cycles(2);
    expect(m.fleet.effects.map((c) => c.instance)).toEqual([
      "product-api:8000",
      "product-api:8000",
      "late:8000",
    ]);
  });

  it("a target that comes back by a reload is still in the cooldown from the run before", async () => {
    const m = await acted();
    const w = await m.start({ settings: { targets: [targetOf("another")] } });
    w.loop.reconfigure(settingsOf());
    await w.cycles(7);
    expect(w.reported.cycles.at(-1)?.decisions[0]?.reason).toBe("cooldown_active");
    expect(m.fleet.effects).toHaveLength(1);
  });

  it("risk and pending confirmation are taken over, so that a restart neither alarms nor forgets", async () => {
    const m = machine({ value: creeping });
    const first = await m.start();
    const pending = await first.cycles(5);
    expect(pending.decisions[0]?.reason).toBe("awaiting_confirmation");
    const saved = stored(m.disk).load().series;
    expect(saved).toEqual([{ key: "product-api/memory", inRisk: true, pending: { linear: 1 } }]);
    const w = await m.start();
    expect((await w.cycle()).decisions[0]).toMatchObject({ inRisk: true, reason: "insufficient_samples" });
    expect(m.fleet.calls).toEqual([]);
  });

  it.each([
    [{ linear: 1 }, "confirmed"],
    [{}, "awaiting_confirmation"],
  ])(
    "with the window filled again, the confirmations kept are %j, and the first cycle is %s",
    async (pending, reason) => {
      const time = virtualTime();
      const value = creeping(time);
      const store = createMemoryStore();
      store.saveSeries([{ key: "product-api/memory", inRisk: true, pending }]);
      const { wallMs } = time.clock.now();
      const history = () =>
        Array.from({ length: 10 }, (_, n) => ({
          timestampMs: wallMs - (10 - n) * 30_000,
          value: 1900 - 15 * (10 - n),
        }));
      const w = worldOf({ store, time, sources: [scriptedSource(value, { history })] });
      await w.loop.start();
      expect((await w.cycle()).decisions[0]).toMatchObject({ inRisk: true, reason });
    },
  );
});

describe("a lost answer", () => {
  it("holds the target, is asked for by its key, and ends applied without a second effect", async () => {
    const m = await acted(({ kind }) => (kind === "execute" ? "lost" : "unknown"));
    expect(m.w.reported.actions[0]?.outcome).toBeUndefined();
    expect(m.w.reported.notices.at(-1)?.event).toBe("mitigation outcome unknown");
    const held = await m.w.cycle();
    expect(held.decisions[0]?.act).toBe(false);
    m.fleet.answer = () => "applied";
    await m.w.cycle();
    expect(m.w.reported.reconciliations.map((r) => r.outcome.status)).toEqual(["applied"]);
    expect(m.fleet.effects).toHaveLength(1);
    expect(m.fleet.calls.filter((c) => c.kind === "execute")).toHaveLength(1);
  });

  it("names itself as the reason while the predictor would act", async () => {
    const m = machine();
    m.fleet.answer = () => {
      m.disk.failWrites = "EIO";
      return "refused";
    };
    const w = await m.start();
    await w.cycles(5);
    expect((await w.cycle()).decisions[0]).toMatchObject({
      act: false,
      reason: "intent_unresolved",
      trigger: "pre_timeout",
    });
    m.disk.failWrites = undefined;
    m.fleet.answer = () => "refused";
    expect((await w.cycle()).decisions[0]?.reason).toBe("cooldown_active");
    expect(w.store.recent(1)[0]?.outcome?.status).toBe("refused");
  });

  it("of a call that never arrived is made once more under the same key while the intent is young", async () => {
    let down = true;
    const m = await acted(({ kind }) => (down && kind === "execute" ? "unknown" : "applied"));
    expect(m.fleet.effects).toHaveLength(0);
    down = false;
    await m.w.cycle();
    const executes = m.fleet.calls.filter((c) => c.kind === "execute");
    expect(executes).toHaveLength(2);
    expect(executes[1]?.intent.id).toBe(executes[0]?.intent.id);
    expect(m.fleet.effects).toHaveLength(1);
    // The cooldown counts from the call that took effect, not from the intent.
    const at = m.fleet.effects[0]!.monoMs;
    await m.w.cycles(14);
    expect(m.fleet.effects[1]!.monoMs - at).toBeGreaterThanOrEqual(300_000);
  });

  it("of one instance leaves standing what another has told, whatever that one says later", async () => {
    const instances = ["a", "b"].map((name) => ({ name, url: `http://${name}:8000` }));
    const m = machine({ settings: { targets: [targetOf("product-api", { instances })] } });
    m.fleet.answer = ({ kind, instance }) => {
      if (instance === "a") return kind === "execute" ? "applied" : "failed";
      return kind === "execute" ? "lost" : "applied";
    };
    const w = await m.start();
    await w.cycles(6);
    expect(m.fleet.calls.filter((c) => c.kind === "execute")).toHaveLength(2);
    expect(w.store.recent(1)[0]?.outcome).toMatchObject({
      status: "applied",
      instances: [
        { instance: "a", status: "applied" },
        { instance: "b", status: "already_applied" },
      ],
    });
  });

  it("that nobody can tell of ends unknown once the intent is too old", async () => {
    const m = await acted(() => "unknown");
    await m.w.cycles(2);
    expect(m.w.store.load().openIntents).toHaveLength(1);
    await m.w.cycle();
    expect(m.w.store.recent(1)[0]?.outcome).toMatchObject({
      status: "unknown",
      detail: "no answer before the intent expired",
    });
    expect(m.w.store.load().openIntents).toEqual([]);
    expect(m.fleet.calls.filter((c) => c.kind === "execute")).toHaveLength(1);
  });

  it("is asked for, but not called again, while the kill switch is on", async () => {
    let reachable = false;
    const m = await acted(() => (reachable ? "applied" : "unknown"));
    m.w.loop.reconfigure(settingsOf({ autoHeal: false }));
    await m.w.cycle();
    expect(m.w.store.load().openIntents).toHaveLength(1);
    reachable = true;
    await m.w.cycle();
    expect(m.fleet.calls.filter((c) => c.kind === "execute")).toHaveLength(1);
    expect(m.w.store.recent(1)[0]?.outcome).toMatchObject({
      status: "expired",
      detail: "never carried out, and auto_heal_off: acting was switched off",
    });
  });

  it("is not called again when the monitor is told to stop while it asks", async () => {
    const m = await acted(() => "unknown");
    m.fleet.answer = () => {
      m.w.loop.stopActing();
      return "applied";
    };
    await m.w.cycle();
    expect(m.fleet.calls.filter((c) => c.kind === "execute")).toHaveLength(1);
  });

  it("is not called again when a reload drops its target while it is asked for", async () => {
    const m = await acted(() => "unknown");
    m.fleet.answer = () => {
      m.w.loop.reconfigure(settingsOf({ targets: [targetOf("another")] }));
      return "applied";
    };
    await m.w.cycle();
    expect(m.fleet.calls.filter((c) => c.kind === "execute")).toHaveLength(1);
    expect(m.w.store.recent(1)[0]?.outcome).toMatchObject({
      status: "expired",
      detail: "never carried out, and target_gone: product-api is no longer configured",
    });
  });

  it.each(["throws", "hangs"] as const)(
    "because the action %s counts as unknown, and the tick ends",
    async (how) => {
      const m = machine();
      m.fleet.answer = () => how;
      const w = await m.start();
      await w.cycles(4);
      const ticking = w.loop.tick();
      if (how === "hangs") {
        for (let n = 0; n < 50 && m.fleet.calls.length === 0; n++) await Promise.resolve();
        expect(m.fleet.calls).toHaveLength(1);
        m.time.advance(16_000);
      }
      const report = await ticking;
      expect(report.actions[0]).toMatchObject({ mode: "auto", outcome: undefined });
      expect(w.store.load().openIntents).toHaveLength(1);
    },
  );
});

describe("an intent found open at the start", () => {
  async function crashedInCall(answer: Fleet["answer"]) {
    const m = machine();
    m.fleet.answer = (call) => {
      // The process dies here: what follows in the old loop finds its store gone.
      m.disk.crash();
      return answer(call);
    };
    const w = await m.start();
    await w.cycles(5);
    m.fleet.answer = () => "applied";
    return m;
  }

  /** The service never saw the call of the run before, and refuses the one that the next run makes. */
  async function refusedAfterCrash() {
    const m = await crashedInCall(() => "unknown");
    m.fleet.answer = ({ kind }) => (kind === "execute" ? "refused" : "applied");
    return { m, w: await m.start() };
  }

  it("that had taken effect is recorded as applied, with one effect", async () => {
    const m = await crashedInCall(() => "applied");
    const w = await m.start();
    expect(w.reported.reconciliations.map((r) => r.outcome.status)).toEqual(["applied"]);
    expect(m.fleet.effects).toHaveLength(1);
  });

  it("that never reached the service resumes once while it is young", async () => {
    const m = await crashedInCall(() => "unknown");
    const w = await m.start();
    expect(w.reported.reconciliations.map((r) => r.outcome.status)).toEqual(["applied"]);
    expect(m.fleet.effects).toHaveLength(1);
  });

  it("is not ended by a no to the late call: the one before the crash may still be on its way", async () => {
    const { m, w } = await refusedAfterCrash();
    expect(m.fleet.calls.filter((c) => c.kind === "execute")).toHaveLength(2);
    const [open] = w.store.load().openIntents;
    expect(open).toBeDefined();
    // Here it arrives.
    m.fleet.answer = () => "applied";
    const [instance] = targetOf().instances;
    await m.fleet.execute(open!, instance!, new AbortController().signal);
    await w.cycle();
    expect(w.reported.reconciliations.map((r) => r.outcome.status)).toEqual(["applied"]);
    expect(m.fleet.effects).toHaveLength(1);
  });

  it("that is refused until it is too old expires", async () => {
    const { m, w } = await refusedAfterCrash();
    await w.cycles(4);
    expect(w.reported.reconciliations.map((r) => r.outcome.status)).toEqual(["expired"]);
    expect(m.fleet.effects).toEqual([]);
  });

  it.each([
    ["too old", undefined, 100_000],
    ["of another boot", "boot-2", 0],
  ])("that never reached the service and is %s expires", async (_name, bootId, laterMs) => {
    const m = await crashedInCall(() => "unknown");
    m.time.advance(laterMs);
    const w = await m.start(bootId === undefined ? {} : { time: virtualTime(bootId) });
    expect(w.reported.reconciliations.map((r) => r.outcome.status)).toEqual(["expired"]);
    expect(m.fleet.effects).toEqual([]);
    expect((await w.cycles(6)).decisions[0]?.cooldownActive).toBe(true);
  });

  it("whose target is not configured any more expires", async () => {
    const m = await crashedInCall(() => "unknown");
    const w = await m.start({ settings: { targets: [targetOf("another")] } });
    expect(w.reported.reconciliations.map((r) => r.outcome.detail)).toEqual([
      "its target is no longer configured",
    ]);
    expect(w.store.load().openIntents).toEqual([]);
  });

  it("of a kind that nobody carries out any more expires", async () => {
    const m = await crashedInCall(() => "unknown");
    m.disk.crash();
    const store = createMemoryStore({ disk: m.disk });
    const w = worldOf({ store, time: m.time, ports: { actions: new Map() } });
    await w.loop.start();
    expect(store.recent(1)[0]?.outcome).toMatchObject({
      status: "expired",
      detail: "no action of kind mitigate",
    });
  });

  it("is left for the next run when the monitor is stopping", async () => {
    const m = await crashedInCall(() => "unknown");
    m.fleet.answer = () => "unknown";
    const w = await m.start();
    const asked = m.fleet.calls.length;
    w.loop.stopActing();
    await w.cycle();
    expect(m.fleet.calls).toHaveLength(asked);
    expect(w.store.load().openIntents).toHaveLength(1);
  });

  it("that still cannot be asked holds its target in the new run, whatever its predictor says", async () => {
    const m = await crashedInCall(() => "unknown");
    m.fleet.answer = () => "unknown";
    const w = await m.start({
      settings: { intentTtlMs: 3_600_000, targets: [targetOf("product-api", { cooldownMs: 0 })] },
    });
    await w.cycle();
    expect(m.fleet.calls.filter((c) => c.kind === "execute")).toHaveLength(1);
    expect(w.store.load().openIntents).toHaveLength(1);
  });
});
