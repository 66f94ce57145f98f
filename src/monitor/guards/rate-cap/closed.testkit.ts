import {
  actLongAgo,
  actOn,
  type Closing,
  elsewhere,
  LONG_MS,
  reconfigureGuards,
} from "../closing.testkit.ts";

/** The target has had the one action that it may have. */
const closeTarget: Closing = async (world, who) => {
  reconfigureGuards(world, { targetCap: { actions: 1, windowMs: LONG_MS } });
  await actLongAgo(world, who);
};

/** Others have had all the actions that the fleet may have, in number enough for a run of some steps. */
const closeFleet: Closing = async (world) => {
  const callees = [1, 2, 3, 4, 5].map(elsewhere);
  reconfigureGuards(world, { fleetCap: { actions: callees.length, windowMs: LONG_MS } });
  await actOn(world, callees);
};

export const closings = { rate_cap_target: closeTarget, rate_cap_fleet: closeFleet };
