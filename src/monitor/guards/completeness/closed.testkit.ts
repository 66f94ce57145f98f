import { signalOf } from "../../cycle/cycle.testkit.ts";
import type { Target } from "../../kernel/target.ts";
import { type Closing, type ClosingWorld, LONG_MS, reconfigureGuards, saying } from "../closing.testkit.ts";

/** Most signals of the target are stale; of one that is not under watch itself, most series of the fleet vanish. */
const close: Closing = async (world, who) => {
  const own = world.loop.settings.targets.find(({ name }) => name === who);
  const completeness = { targetShare: 0.5, fleetShare: 0.5, minSeries: 2, memoryMs: LONG_MS };
  reconfigureGuards(world, { completeness });
  if (own !== undefined) return breakData(world, own, own.signals.length, "stale");
  const { targets } = world.loop.settings;
  const series = targets.reduce((n, { signals }) => n + signals.length, 0);
  return breakData(world, targets[0] as Target, series, "missing");
};

/** A target has more further signals than `others`, all of which are there for a cycle, and then are not. */
async function breakData(
  world: ClosingWorld,
  of: Target,
  others: number,
  status: "stale" | "missing",
): Promise<void> {
  const { loop, cycle } = world;
  const { settings } = loop;
  const further = Array.from({ length: others + 1 }, (_, n) => signalOf(undefined, { name: `further-${n}` }));
  const names = new Set(further.map(({ name }) => name));
  const targets = settings.targets.map((t) => (t === of ? { ...t, signals: [...t.signals, ...further] } : t));
  let broken = false;
  loop.reconfigure(
    { ...settings, targets },
    saying(world, ({ target, signal }) => {
      if (target.name !== of.name || !names.has(signal.name)) return undefined;
      return { said: broken ? { status, source: "scripted", detail: "broken" } : 100 };
    }),
  );
  await cycle();
  broken = true;
  await cycle();
}

export const closings = { data_partial: close };
