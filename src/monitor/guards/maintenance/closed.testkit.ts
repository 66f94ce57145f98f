import { type Closing, LONG_MS, reconfigureGuards, SAID } from "../closing.testkit.ts";

/** A maintenance window of the target opens with a reload of the configuration. */
const close: Closing = (world, who) => {
  const { wallMs } = world.time.clock.now();
  const { maintenance } = world.loop.settings.guards;
  const window = {
    ...{ name: `maintenance of ${who}`, target: who, signal: "*", action: "*", reason: SAID.reason },
    when: { kind: "once" as const, startsAtMs: wallMs, endsAtMs: wallMs + LONG_MS },
  };
  reconfigureGuards(world, { maintenance: [...maintenance, window] });
};

export const closings = { maintenance_window: close };
