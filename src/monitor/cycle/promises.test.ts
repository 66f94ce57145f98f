import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { InstanceStatus } from "../kernel/action.ts";
import type { Observation, Unusable } from "../kernel/observation.ts";
import { createMemoryDisk, createMemoryStore } from "../store/memory/index.ts";
import {
  createFleet,
  scriptedSource,
  settingsOf,
  signalOf,
  targetOf,
  virtualTime,
  worldOf,
} from "./cycle.testkit.ts";

const CYCLE = 10_000;
const COOLDOWN = 120_000;
const TTL = 40_000;

/** What happens in one cycle, to everything at once. */
interface Turn {
  readonly values: readonly (number | Unusable)[];
  readonly answer: InstanceStatus | "lost" | "throws";
  readonly event:
    | "none"
    | "restart"
    | "wall +1 day"
    | "wall -1 day"
    | "disk full"
    | "disk ok"
    | "shadow"
    | "auto"
    | "drop target"
    | "skip a cycle";
}

const turn: fc.Arbitrary<Turn> = fc.record({
  values: fc.array(
    fc.oneof(
      { weight: 6, arbitrary: fc.constantFrom(100, 400, 1500, 2500, 4000, 5000, 9000) },
      { weight: 1, arbitrary: fc.constantFrom<Unusable>("missing", "stale", "invalid", "unreachable") },
    ),
    { minLength: 3, maxLength: 3 },
  ),
  answer: fc.oneof(
    { weight: 4, arbitrary: fc.constant("applied" as const) },
    { weight: 3, arbitrary: fc.constantFrom("lost", "unknown", "failed", "refused", "throws") },
  ),
  event: fc.oneof(
    { weight: 12, arbitrary: fc.constant("none" as const) },
    {
      weight: 5,
      arbitrary: fc.constantFrom(
        "restart",
        "wall +1 day",
        "wall -1 day",
        "disk full",
        "disk ok",
        "shadow",
        "auto",
        "drop target",
        "skip a cycle",
      ),
    },
  ),
});

const A = targetOf("a", {
  cooldownMs: COOLDOWN,
  signals: [signalOf(), signalOf(undefined, { name: "other" })],
});
const B = targetOf("b", { cooldownMs: COOLDOWN });

/** Two targets with three series under a script of faults; every rule is checked in every cycle. */
async function play(turns: readonly Turn[]): Promise<number> {
  const time = virtualTime();
  const disk = createMemoryDisk();
  const fleet = createFleet(time.clock);
  let now: Turn = turns[0] as Turn;
  let autoHeal = true;
  let targets = [A, B];
  const settings = () => settingsOf({ targets, autoHeal, cycleMs: CYCLE, intentTtlMs: TTL, linearWindow: 6 });
  const source = scriptedSource((series): number | Observation => {
    const which = series.target.name === "b" ? 2 : series.signal.name === "other" ? 1 : 0;
    const said = now.values[which] as number | Unusable;
    return typeof said === "number" ? said : { status: said, source: "scripted", detail: "scripted" };
  });
  const open = () => {
    disk.crash();
    return worldOf({
      store: createMemoryStore({ disk, clock: time.clock }),
      time,
      fleet,
      sources: [source],
      settings: settings(),
    });
  };
  let w = open();
  await w.loop.start();
  for (now of turns) {
    if (now.event === "disk full") disk.failWrites = "ENOSPC";
    if (now.event === "disk ok" || now.event === "restart") disk.failWrites = undefined;
    if (now.event === "wall +1 day") time.jumpWall(86_400_000);
    if (now.event === "wall -1 day") time.jumpWall(-86_400_000);
    if (now.event === "skip a cycle") time.advance(CYCLE);
    if (now.event === "shadow" || now.event === "auto") autoHeal = now.event === "auto";
    if (now.event === "drop target") targets = targets.length === 2 ? [A] : [A, B];
    fleet.answer = ({ kind }) => {
      const { answer } = now;
      if (kind === "execute") return answer;
      return answer === "lost" || answer === "throws" || answer === "unknown" ? "unknown" : "applied";
    };
    if (now.event === "restart") {
      w = open();
      await w.loop.start();
    } else w.loop.reconfigure(settings());
    const before = fleet.calls.length;
    const report = await w.loop.tick();
    const fresh = fleet.calls.slice(before).filter((c) => c.kind === "execute");
    for (const call of fresh.filter((c) => c.intent.at.monoMs === time.clock.now().monoMs)) {
      const d = report.decisions.find(
        (x) => x.target === call.intent.target && x.signal === call.intent.signal,
      );
      expect(d, "a call stands on a decision of its own cycle").toMatchObject({ act: true });
      const at = report.decisions.indexOf(d as (typeof report.decisions)[number]);
      expect(report.observations[at]?.status).toBe("ok");
    }
    if (!autoHeal) expect(fresh, "no call in shadow mode").toEqual([]);
    for (const target of ["a", "b"])
      expect(report.decisions.filter((d) => d.act && d.target === target).length).toBeLessThanOrEqual(1);
    time.advance(CYCLE);
  }
  disk.failWrites = undefined;
  checkCalls(
    fleet.calls.filter((c) => c.kind === "execute"),
    COOLDOWN,
  );
  expect(new Set(fleet.effects.map((c) => c.intent.id)).size, "one effect a key").toBe(fleet.effects.length);
  // Every call was written down before it was made.
  const written = new Set(w.store.recent(10_000).map((e) => e.intent.id));
  for (const call of fleet.calls) expect(written).toContain(call.intent.id);
  return fleet.effects.length;
}

/** At most one plan of a target a cooldown; the same plan may be called again under its key. */
function checkCalls(
  calls: readonly { intent: { id: string; target: string }; monoMs: number }[],
  apartMs: number,
): void {
  for (const target of ["a", "b"]) {
    const own = calls.filter((c) => c.intent.target === target);
    for (const [i, call] of own.entries()) {
      const earlier = own.slice(0, i).filter((c) => c.intent.id !== call.intent.id);
      for (const e of earlier)
        expect(call.monoMs - e.monoMs, `cooldown of ${target}`).toBeGreaterThanOrEqual(apartMs);
    }
    const intents = new Map(own.map((c) => [c.intent.id, c] as const));
    const ids = [...intents.keys()];
    expect(own.map((c) => ids.indexOf(c.intent.id))).toEqual(
      own.map((c) => ids.indexOf(c.intent.id)).toSorted((x, y) => x - y),
    );
  }
}

describe("over random sequences of values, answers and faults", () => {
  it("no more than one action a target a cooldown, none without usable data, none unwritten, none in shadow", async () => {
    let effects = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(turn, { minLength: 10, maxLength: 60 }), async (turns) => {
        effects += await play(turns);
      }),
      { numRuns: 150 },
    );
    // The script does let it act: the rules above were not kept by doing nothing.
    expect(effects).toBeGreaterThan(50);
  });
});
