import { createHttpAction } from "./http-calls/index.ts";
import { createRolloutRestart } from "./kubernetes/index.ts";
import { createServiceActions } from "./service/index.ts";

/** What carries out the kinds of action, one line a folder. `kinds.ts` tells which kinds there are. */
export const actionFactories = {
  service: createServiceActions,
  rolloutRestart: createRolloutRestart,
  http: createHttpAction,
} as const;
