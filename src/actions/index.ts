import { createMitigateAction } from "./mitigate/index.ts";

/** Every kind of action, by the name that intents carry: one line a kind. */
export const actionFactories = {
  mitigate: createMitigateAction,
} as const;

export type ActionKind = keyof typeof actionFactories;
