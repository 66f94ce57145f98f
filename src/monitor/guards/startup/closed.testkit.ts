import { type Closing, LONG_MS, reconfigureGuards } from "../closing.testkit.ts";

/** The monitor is started three times in a row. */
const close: Closing = async (world) => {
  reconfigureGuards(world, { startup: { starts: 3, windowMs: LONG_MS, quietMs: LONG_MS } });
  for (let n = 0; n < 3; n += 1) await world.loop.start();
};

export const closings = { startup_hold: close };
