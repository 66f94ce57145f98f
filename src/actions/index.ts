import { createServiceActions } from "./service/index.ts";

/** What makes the kinds of action, one line a folder. `kinds.ts` tells which kinds there are. */
export const actionFactories = {
  service: createServiceActions,
} as const;
