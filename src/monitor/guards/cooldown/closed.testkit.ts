import { actOn, type Closing, calleeOf } from "../closing.testkit.ts";

/** The target was acted on just now. */
const close: Closing = (world, who) => actOn(world, [calleeOf(world.loop.settings, who)]);

export const closings = { cooldown_active: close };
