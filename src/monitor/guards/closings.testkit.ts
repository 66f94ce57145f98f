import type { GuardName } from "../kernel/decision.ts";
import { close as closeBackoff } from "./backoff/closed.testkit.ts";
import type { Closing } from "./closing.testkit.ts";
import { close as closeCompleteness } from "./completeness/closed.testkit.ts";
import { close as closeCooldown } from "./cooldown/closed.testkit.ts";
import { close as closeEscalation } from "./escalation/closed.testkit.ts";
import { close as closeMaintenance } from "./maintenance/closed.testkit.ts";
import { close as closePause } from "./pause/closed.testkit.ts";
import { closeFleet, closeTarget } from "./rate-cap/closed.testkit.ts";
import { close as closeSilence } from "./silence/closed.testkit.ts";
import { close as closeStartup } from "./startup/closed.testkit.ts";
import { close as closeStorm } from "./storm/closed.testkit.ts";
import { close as closeUnresolved } from "./unresolved/closed.testkit.ts";

/** What closes each guard, in the order of `GUARDS`. */
export const CLOSINGS: Readonly<Record<GuardName, Closing>> = {
  intent_unresolved: closeUnresolved,
  cooldown_active: closeCooldown,
  paused: closePause,
  silenced: closeSilence,
  maintenance_window: closeMaintenance,
  startup_hold: closeStartup,
  data_partial: closeCompleteness,
  storm_hold: closeStorm,
  escalated: closeEscalation,
  backoff_active: closeBackoff,
  rate_cap_target: closeTarget,
  rate_cap_fleet: closeFleet,
};
