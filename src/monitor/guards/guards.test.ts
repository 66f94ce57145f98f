import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { admit } from "../cycle/admit.ts";
import { getOrCreateTargetState } from "../cycle/execute/state.ts";
import { resumeMono } from "../kernel/cooldown.ts";
import {
  advanceVerification,
  beginVerification,
  concludeEarly,
  freshVerification,
  readVerification,
  resumeVerification,
  watch,
} from "../verify/index.ts";
import { verificationSettings } from "../verify/verify.testkit.ts";
import { guardSettings, loopOf, machine, questionOf, stored } from "./guards.testkit.ts";
import { advanceGuards, countStart, freshGuards, resumeGuards } from "./index.ts";
import { readGuards } from "./read.ts";

// Guards, verification and escalation together, in the order in which a loop asks them, over a fleet that falls ill and
// is healed or not, on a machine that restarts, reboots and has its clock set.

const MINUTE = 60_000;
const CYCLE = 30_000;
const COOLDOWN = 5 * MINUTE;
const guards = guardSettings();
const verification = verificationSettings();

interface Service {
  level: number;
  /** What an action leaves of the excess: 0 heals it, 1 does nothing. */
  remedy: number;
}

function fleet(names: readonly string[]) {
  const host = machine();
  const services = new Map(names.map((name): [string, Service] => [name, { level: 100, remedy: 0 }]));
  const acted: { target: string; trueMs: number }[] = [];
  const journal: { target: string; at: ReturnType<typeof host.now>; bootId: string }[] = [];
  const loop = loopOf(countStart(freshGuards(host.bootId), host.now()), guards);
  let h = freshVerification(host.bootId);
  loop.verify.state = h;

  /** Everything is read back from the store. */
  const restart = () => {
    const now = host.now();
    const context = { settings: guards, now, bootId: host.bootId };
    const read = [readGuards(stored(loop.admit.guards)), readVerification(stored(h))] as const;
    if (!("state" in read[0]) || !("state" in read[1])) throw new Error("the state cannot be read back");
    loop.admit.guards = countStart(resumeGuards(read[0].state, context), now);
    h = resumeVerification(read[1].state, now, host.bootId);
    for (const action of journal)
      getOrCreateTargetState(loop, action.target).lastActionMonoMs = resumeMono(action, now, host.bootId);
  };

  /** One cycle: observe, verify, guard, admit, act, watch. Returns who was blocked and by what. */
  const cycle = () => {
    const now = host.now();
    const all = [...services];
    const sick = (s: Service) => s.level > 300;
    h = advanceVerification(h, {
      samples: all.map(([target, s]) => ({ target, signal: "p95_latency", value: s.level, ageMs: 0 })),
      health: all.map(([target, s]) => ({ target, healthy: !sick(s) })),
      settings: verification,
      now,
    }).state;
    loop.admit.guards = advanceGuards(loop.admit.guards, {
      targets: all.map(([target, s]) => ({
        target,
        atRisk: sick(s),
        signals: [{ signal: "p95_latency", status: "ok" as const }],
      })),
      settings: guards,
      now,
    });
    const held = new Map<string, string>();
    for (const [target, service] of all.filter(([, s]) => sick(s))) {
      const id = `i-${journal.length + 1}`;
      loop.verify.state = h;
      const blocked = admit({ state: loop, ports: {} }, questionOf(target, { run: id }), now);
      if (blocked !== undefined) {
        held.set(target, blocked.guard);
        continue;
      }
      expect(h.targets[target]?.escalation, "an escalated target is not acted on").toBeUndefined();
      h = concludeEarly(h, target, { settings: verification, now }).state;
      const before = service.level;
      service.level = 100 + (before - 100) * service.remedy;
      acted.push({ target, trueMs: host.trueMs });
      journal.push({ target, at: now, bootId: host.bootId });
      getOrCreateTargetState(loop, target).lastActionMonoMs = now.monoMs;
      h = watch(
        h,
        beginVerification({
          intent: { id, target, signal: "p95_latency", kind: "mitigate", at: now },
          thresholds: { slo: 300, exit: 270 },
          before: { value: before },
          effectAt: now,
          rateWindowMs: 0,
          lateMs: 0,
          cooldownMs: COOLDOWN,
          cycleMs: CYCLE,
          horizonMs: 180_000,
          settings: verification,
        }),
      );
    }
    return held;
  };
  const escalated = (target: string) => h.targets[target]?.escalation;
  return { host, services, acted, restart, cycle, escalated };
}

describe("a fleet of ten", () => {
  const names = Array.from({ length: 10 }, (_, n) => `s-${n}`);

  it("escalates a target that nothing helps, after three actions with growing pauses, and leaves it alone", () => {
    const world = fleet(names);
    Object.assign(world.services.get("s-3") as Service, { level: 900, remedy: 1 });
    const held: string[] = [];
    for (let n = 0; n < 480; n++) {
      held.push(world.cycle().get("s-3") ?? "");
      world.host.wait(CYCLE);
    }
    expect(world.acted.map((a) => a.trueMs / MINUTE)).toEqual([0, 10, 30]);
    expect([...new Set(held)]).toEqual(["", "cooldown_active", "backoff_active", "escalated"]);
    expect(world.escalated("s-3")).toMatchObject({ cause: "ineffective", attempts: { length: 3 } });
  });

  it("heals what can be healed, and forgets it", () => {
    const world = fleet(names);
    (world.services.get("s-1") as Service).level = 900;
    for (let n = 0; n < 120; n++) {
      world.cycle();
      world.host.wait(CYCLE);
    }
    expect(world.acted).toEqual([{ target: "s-1", trueMs: 0 }]);
    expect(world.escalated("s-1")).toBeUndefined();
  });

  it("holds still when all fall ill at once, and acts again after the calm", () => {
    const world = fleet(names);
    for (const s of world.services.values()) Object.assign(s, { level: 900, remedy: 1 });
    for (let n = 0; n < 240; n++) {
      for (const hold of world.cycle().values()) expect(hold).toBe("storm_hold");
      world.host.wait(CYCLE);
    }
    expect(world.acted).toEqual([]);
    for (const s of world.services.values()) s.level = 100;
    for (let n = 0; n < 11; n++) {
      world.cycle();
      world.host.wait(CYCLE);
    }
    (world.services.get("s-7") as Service).level = 900;
    world.cycle();
    expect(world.acted.map((a) => a.target)).toEqual(["s-7"]);
  });

  it("whatever happens, keeps its caps and its cooldown, and never acts on an escalated target", () => {
    const event = fc.oneof(
      {
        weight: 10,
        arbitrary: fc.record({ kind: fc.constant("run" as const), cycles: fc.integer({ min: 1, max: 30 }) }),
      },
      {
        weight: 6,
        arbitrary: fc.record({
          kind: fc.constant("ill" as const),
          target: fc.constantFrom(...names),
          level: fc.integer({ min: 301, max: 3000 }),
          remedy: fc.constantFrom(0, 0, 0.5, 1, 1, 1.5),
        }),
      },
      {
        weight: 2,
        arbitrary: fc.record({ kind: fc.constant("well" as const), target: fc.constantFrom(...names) }),
      },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant("restart" as const) }) },
      {
        weight: 1,
        arbitrary: fc.record({ kind: fc.constant("reboot" as const), up: fc.integer({ min: 0, max: 1e8 }) }),
      },
      {
        weight: 1,
        arbitrary: fc.record({ kind: fc.constant("wall" as const), ms: fc.integer({ min: -1e9, max: 1e9 }) }),
      },
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 40 }), (events) => {
        const world = fleet(names);
        for (const e of events) {
          if (e.kind === "ill") Object.assign(world.services.get(e.target) as Service, e);
          else if (e.kind === "well") (world.services.get(e.target) as Service).level = 100;
          else if (e.kind === "wall") world.host.setWall(e.ms);
          else if (e.kind === "run")
            for (let n = 0; n < e.cycles; n++) {
              world.cycle();
              world.host.wait(CYCLE);
            }
          else {
            if (e.kind === "reboot") world.host.reboot(1000, e.up);
            world.restart();
          }
        }
        const within = (from: number, windowMs: number, target?: string) =>
          world.acted.filter(
            (a) => a.trueMs >= from && a.trueMs < from + windowMs && (target ?? a.target) === a.target,
          ).length;
        for (const { trueMs, target } of world.acted) {
          expect(within(trueMs, 10 * MINUTE)).toBeLessThanOrEqual(10);
          expect(within(trueMs, 60 * MINUTE, target)).toBeLessThanOrEqual(4);
          expect(within(trueMs, COOLDOWN, target)).toBe(1);
        }
      }),
      { numRuns: 150 },
    );
  });

  it("acts on or escalates every lasting illness within two hours, whatever came before", () => {
    const past = fc.array(
      fc.record({
        target: fc.constantFrom(...names),
        remedy: fc.constantFrom(0, 1),
        cycles: fc.integer({ min: 1, max: 60 }),
      }),
      { maxLength: 10 },
    );
    fc.assert(
      fc.property(past, (steps) => {
        const world = fleet(names);
        const run = (cycles: number) => {
          for (let n = 0; n < cycles; n++) {
            world.cycle();
            world.host.wait(CYCLE);
          }
        };
        for (const { target, remedy, cycles } of steps) {
          Object.assign(world.services.get(target) as Service, { level: 900, remedy });
          run(cycles);
        }
        for (const s of world.services.values()) s.level = 100;
        run(80);
        Object.assign(world.services.get("s-0") as Service, { level: 900, remedy: 1 });
        const before = world.acted.length;
        run(240);
        expect(world.acted.length).toBeGreaterThan(before);
        expect(world.escalated("s-0")).toBeDefined();
      }),
      { numRuns: 40 },
    );
  });
});
