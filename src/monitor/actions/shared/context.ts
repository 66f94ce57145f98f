import type { Dispatcher } from "undici";
import type { ActionPlugin as Plugin } from "../../kernel/plugin.ts";
import type { CallLimits } from "./settings.ts";

/** What every kind of action is made with. */
export interface ActionContext {
  /**
   * The admin tokens, asked for at every attempt, so that a rotated one is used at once: the one to present, and the one
   * to try where a service does not accept it.
   */
  readonly tokens: () => readonly string[];
  /** Makes the connections; its owner closes it. */
  readonly dispatcher: Dispatcher;
  /** Uniform in [0, 1): spreads the waits. */
  readonly random: () => number;
  /** Waits; may resolve or reject when the signal is aborted. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Monotonic milliseconds, for durations and the total deadline. */
  readonly now?: (() => number) | undefined;
}

export type ActionPlugin<Settings = unknown> = Plugin<ActionContext, Settings>;

/** Limits of a call unless its kind needs others. */
export const LIMITS: CallLimits = {
  attemptTimeoutMs: 4000,
  totalTimeoutMs: 12_000,
  retry: { maxAttempts: 3, baseMs: 250, maxMs: 2000 },
  maxResponseBytes: 65_536,
};
