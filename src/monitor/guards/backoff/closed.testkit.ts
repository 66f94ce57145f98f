import { actLongAgo, type Closing, LONG_MS, reconfigureGuards } from "../closing.testkit.ts";

/** An action on the target fails, after which the pause is much longer than its cooldown. */
const close: Closing = async (world, who) => {
  reconfigureGuards(world, { backoff: { factor: 1000, maxMs: LONG_MS } });
  await actLongAgo(world, who, "failed");
};

export const closings = { backoff_active: close };
