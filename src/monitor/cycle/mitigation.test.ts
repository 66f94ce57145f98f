import { describe, expect, it } from "vitest";
import type { Playbook } from "../kernel/containment.ts";
import type { Mitigation, Target } from "../kernel/target.ts";
import { createMemoryStore } from "../store/memory/index.ts";
import {
  createFleet,
  GUARDS,
  scriptedSource,
  signalOf,
  steep,
  targetOf,
  virtualTime,
  worldOf,
} from "./cycle.testkit.ts";

const OPS = { name: "restart-it", url: "call://restart-it" };

function restart(more: Partial<Playbook> = {}): Playbook {
  const on = { name: OPS.name, instances: [OPS], cooldownMs: 300_000, autoHeal: true };
  return {
    name: "restart",
    steps: [{ kind: "http", on, parameters: {}, preconditions: [] }],
    undoOnResolved: false,
    ...more,
  };
}

/** A target whose signals all exceed their SLO soon, the later in the list the faster. */
function bed(
  mitigation: Mitigation | undefined,
  more: { signals?: readonly string[]; playbooks?: readonly Playbook[]; silenced?: string } = {},
) {
  const time = virtualTime();
  const climb = steep(time);
  const { signals = ["memory"], playbooks = [], silenced } = more;
  const { mitigation: _, ...plain } = targetOf("shop", {
    signals: signals.map((name) => signalOf(undefined, { name })),
  });
  const target: Target = mitigation === undefined ? plain : { ...plain, mitigation };
  const fleet = createFleet(time.clock);
  const silence = {
    ...{ id: "s", target: "*", signal: silenced ?? "", action: "*", author: "ana", reason: "known" },
    ...{ startsAtMs: 0, endsAtMs: Number.MAX_SAFE_INTEGER },
  };
  const w = worldOf({
    ...{ store: createMemoryStore({ clock: time.clock }), time, fleet },
    sources: [
      scriptedSource(
        ({ signal }) => 100 + 0.5 ** (signals.length - 1 - signals.indexOf(signal.name)) * (climb() - 100),
      ),
    ],
    settings: {
      targets: [target],
      playbooks,
      guards: { ...GUARDS, silences: silenced === undefined ? [] : [silence] },
    },
    ports: { actions: new Map(["mitigate", "http"].map((kind) => [kind, { ...fleet, kind }])) },
  });
  const done = () => fleet.effects.map(({ intent: i, instance }) => [i.kind, instance, i.asker, i.signal]);
  return { w, done };
}

describe("a target that nothing is stated to heal", () => {
  it("is decided on with a reason of its own, and nothing is called, counted or imagined", async () => {
    const { w } = bed(undefined);
    const { decisions } = await w.cycles(12);
    expect(decisions[0]).toMatchObject({ act: false, reason: "watched_only", trigger: "pre_timeout" });
    expect(w.fleet.calls).toEqual([]);
    expect(w.reported.actions).toEqual([]);
    expect(w.loop.controls.guards.actions).toEqual([]);
  });

  it("is forecast and scored like any other", async () => {
    const { w } = bed(undefined);
    const report = await w.cycles(30);
    expect(report.scores().some(({ summary }) => summary.mape !== undefined)).toBe(true);
  });

  it("is healed where a playbook answers the forecast of a signal, and only there", async () => {
    const { w, done } = bed(undefined, {
      signals: ["memory", "backlog"],
      playbooks: [restart({ forecast: { target: "shop", signal: "memory" } })],
    });
    await w.cycles(8);
    expect(done()).toEqual([["http", "restart-it", "shop", "memory"]]);
    expect(w.reported.cycles.flatMap((c) => c.decisions.map((d) => [d.signal, d.reason]))).toContainEqual([
      "backlog",
      "watched_only",
    ]);
  });

  it("is not healed when a person asks for it, who is told why", async () => {
    const { w } = bed(undefined);
    const said = { target: "shop", by: "ana", reason: "now" };
    expect(w.loop.controls.request(said)).toBe("watched_only");
    expect(w.loop.controls.request({ ...said, target: "nobody" })).toBe("unknown");
    await w.cycles(3);
    expect(w.fleet.calls).toEqual([]);
  });
});

describe("a target that an action outside heals", () => {
  it("is the one that asked: its signal is verified, and what is called gets no other call", async () => {
    const { w, done } = bed({ action: "http", on: OPS });
    await w.cycles(8);
    expect(done()).toEqual([["http", "restart-it", "shop", "memory"]]);
    expect(Object.values(w.loop.controls.verification.pending)).toMatchObject([
      { target: "shop", signal: "memory", action: "http" },
    ]);
  });

  it("is healed by it when a person asks", async () => {
    const { w, done } = bed({ action: "http", on: OPS });
    w.loop.controls.request({ target: "shop", by: "ana", reason: "now" });
    await w.cycle();
    expect(done()).toEqual([["http", "restart-it", "shop", "request"]]);
  });
});

describe("a target that a playbook heals", () => {
  const stated = { playbook: "restart" };

  it("is healed by it for the most urgent of its signals, which is then verified", async () => {
    const { w, done } = bed(stated, { signals: ["memory", "backlog"], playbooks: [restart()] });
    await w.cycles(8);
    expect(done()).toEqual([["http", "restart-it", "shop", "backlog"]]);
    expect(Object.values(w.loop.controls.verification.pending)).toMatchObject([{ signal: "backlog" }]);
    const at = w.reported.cycles.findIndex((c) => c.playbooks.some(({ act }) => act));
    expect(w.reported.cycles[at]?.playbooks).toHaveLength(1);
    expect(w.reported.cycles[at + 1]?.decisions.map(({ reason }) => reason)).not.toContain("watched_only");
  });

  it("is healed by it for another signal when the most urgent one is silenced", async () => {
    const { w, done } = bed(stated, {
      ...{ signals: ["memory", "backlog"], silenced: "backlog" },
      playbooks: [restart()],
    });
    await w.cycles(8);
    expect(done()).toEqual([["http", "restart-it", "shop", "memory"]]);
    const blocked = w.reported.cycles
      .flatMap((c) => c.decisions)
      .filter(({ signal }) => signal === "backlog");
    expect(blocked.map(({ reason }) => reason)).toContain("silenced");
  });

  it("is healed by it when a person asks for the target", async () => {
    const { w, done } = bed(stated, { playbooks: [restart()] });
    const wish = w.loop.controls.request({ target: "shop", by: "ana", reason: "now" });
    expect(wish).toMatchObject({ playbook: "restart" });
    await w.cycle();
    expect(done()).toEqual([["http", "restart-it", "shop", "request"]]);
  });

  it("is watched only where that playbook is not in force", async () => {
    const { w } = bed(stated);
    const { decisions } = await w.cycles(8);
    expect(decisions[0]?.reason).toBe("watched_only");
  });
});
