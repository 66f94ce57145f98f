import { actOn, type Closing, calleeOf } from "../closing.testkit.ts";

/** The target was acted on just now. */
export const close: Closing = (world, who) => actOn(world, [calleeOf(world.loop.settings, who)]);
