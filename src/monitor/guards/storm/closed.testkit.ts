import { targetOf } from "../../cycle/cycle.testkit.ts";
import { type Closing, LONG_MS, reconfigureGuards, saying } from "../closing.testkit.ts";

/** As many targets again, which only watch, turn at risk at once, and stay so. */
const close: Closing = async (world) => {
  const { loop, time, cycle } = world;
  const { targets } = loop.settings;
  const many = Math.max(3, targets.length);
  const stormy = Array.from({ length: many }, (_, n) => targetOf(`stormy-${n}`, { autoHeal: false }));
  const names = new Set(stormy.map(({ name }) => name));
  const storm = { share: 0.3, minTargets: 3, windowMs: LONG_MS, exitShare: 0.15, calmMs: LONG_MS };
  reconfigureGuards(world, { storm });
  const startMs = time.clock.now().monoMs;
  const said = () => 100 + 0.02 * (time.clock.now().monoMs - startMs);
  loop.reconfigure(
    { ...loop.settings, targets: [...targets, ...stormy] },
    saying(world, ({ target }) => (names.has(target.name) ? { said: said() } : undefined)),
  );
  for (let n = 0; n < 20 && !loop.controls.guards.storm.active; n += 1) await cycle();
  if (!loop.controls.guards.storm.active) throw new Error("no storm has begun");
};

export const closings = { storm_hold: close };
