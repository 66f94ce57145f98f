import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createMemoryDisk, createMemoryStore } from "../../store/memory/index.ts";
import { createFleet, virtualTime } from "../cycle.testkit.ts";
import { bedOf, gatewaySource } from "./playbooks.testkit.ts";

type Move = "cycle" | "fire" | "resolve" | "restart" | "lose" | "fail" | "answer" | "full" | "free";

/** Any history of alerts, cycles, kills, lost answers and full disks. */
async function live(moves: readonly Move[]) {
  const time = virtualTime();
  const disk = createMemoryDisk();
  const fleet = createFleet(time.clock);
  const source = gatewaySource(time);
  const start = async () => {
    disk.crash();
    disk.failWrites = undefined;
    const bed = bedOf({ store: createMemoryStore({ disk, clock: time.clock }), time, source, fleet });
    await bed.loop.start();
    return bed;
  };
  let bed = await start();
  const tell = (how: "fire" | "resolve") => {
    try {
      bed[how]({ startsAtMs: 1_760_000_000_000 });
    } catch {
      // The disk is full: Alertmanager tells it again.
    }
  };
  for (const move of moves) {
    if (move === "cycle") await bed.cycle();
    else if (move === "fire" || move === "resolve") tell(move);
    else if (move === "restart") bed = await start();
    else if (move === "lose") fleet.answer = ({ kind }) => (kind === "execute" ? "lost" : "unknown");
    else if (move === "fail") fleet.answer = () => "failed";
    else if (move === "answer") fleet.answer = () => "applied";
    else disk.failWrites = move === "full" ? "disk full" : undefined;
  }
  fleet.answer = () => "applied";
  disk.failWrites = undefined;
  await bed.cycles(12);
  return { bed, fleet };
}

const move = fc.oneof(
  { weight: 6, arbitrary: fc.constant<Move>("cycle") },
  fc.constantFrom<Move>("fire", "fire", "resolve", "restart", "lose", "fail", "answer", "full", "free"),
);

describe("over any history of alerts, kills, lost answers and full disks", () => {
  it("a step takes effect once a run, runs keep the cooldown, and every intent comes to its end", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(move, { minLength: 5, maxLength: 80 }), async (moves) => {
        const { bed, fleet } = await live(moves);
        const keys = fleet.effects.map((c) => c.intent.id);
        expect(new Set(keys).size).toBe(keys.length);
        const starts = new Map<string, number>();
        for (const { intent, monoMs } of fleet.effects) {
          const run = intent.origin?.run ?? "";
          if (intent.origin?.undoes === undefined && !starts.has(run)) starts.set(run, monoMs);
        }
        const times = [...starts.values()].sort((a, b) => a - b);
        for (let n = 1; n < times.length; n++)
          expect((times[n] as number) - (times[n - 1] as number)).toBeGreaterThanOrEqual(300_000);
        const open = bed.store.recent(1000).filter((e) => e.outcome === undefined);
        expect(open).toEqual([]);
        // Taking back is repeated under a new key only where it never became known what the last try did.
        const outcomes = new Map(bed.store.recent(1000).map((e) => [e.intent.id, e.outcome?.status]));
        const undone = new Set<string>();
        for (const { intent } of fleet.effects) {
          const id = intent.origin?.undoes;
          if (id === undefined) continue;
          expect(keys).toContain(id);
          expect(undone).not.toContain(id);
          if (outcomes.get(intent.id) === "applied") undone.add(id);
        }
      }),
      { numRuns: 150 },
    );
  });
});
