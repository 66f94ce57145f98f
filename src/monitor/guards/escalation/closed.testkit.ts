import { actLongAgo, type Closing, LONG_MS } from "../closing.testkit.ts";

/** The target refuses an action. */
const close: Closing = async (world, who) => {
  const { loop } = world;
  const { settings } = loop;
  loop.reconfigure({ ...settings, verification: { ...settings.verification, healthyMs: LONG_MS } });
  await actLongAgo(world, who, "refused");
};

export const closings = { escalated: close };
