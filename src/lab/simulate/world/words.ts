import { askerOf, type Intent } from "../../../monitor/kernel/action.ts";
import type { FaultEvent } from "../scenario.ts";
import type { Site } from "./site.ts";
import type { World } from "./world.ts";

const MINUTE = 60_000;

/** While a step is called a person says that nothing more is to be done, or nothing for the target that asked. */
export function sayInCall(
  world: World,
  { site, intent, event }: { readonly site: Site; readonly intent: Intent; readonly event: FaultEvent },
): void {
  const { loop } = site;
  if (loop === undefined) return;
  const said = { by: "ana", reason: "simulated" };
  const forMs = (10 + 30 * event.y) * MINUTE;
  const untilMs = world.time.now + forMs;
  try {
    if (event.x < 0.5) {
      loop.controls.pause({ ...said, forMs });
      world.tell("told", { what: "pause", site, untilMs });
    } else {
      const { wallMs } = site.machine.now();
      const target = askerOf(intent);
      const silence = { target, signal: "*", action: "*", author: said.by, reason: said.reason };
      if (loop.controls.silence({ ...silence, startsAtMs: wallMs, endsAtMs: wallMs + forMs }) === undefined)
        return;
      world.tell("told", { what: "silence", site, target, untilMs });
    }
  } catch {
    // Not on disk, or the monitor died of it: nothing was said.
  }
}
