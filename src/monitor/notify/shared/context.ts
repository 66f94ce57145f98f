import type { CreatedPlugin } from "../../kernel/plugin.ts";
import type { Notifier } from "../../kernel/verification.ts";

/** What every notifier is made with. */
export interface NotifierContext {
  /** Deadline of one call, repeats included (`notify.timeout_seconds`), milliseconds above 0. */
  readonly timeoutMs: number;
  /** Uniform in [0, 1): spreads the waits. */
  readonly random: () => number;
  /** Wall clock, milliseconds. */
  readonly now: () => number;
}

/** `create` gives undefined where its settings name nobody. */
export type NotifierPlugin<Settings = unknown> = CreatedPlugin<
  NotifierContext,
  Notifier | undefined,
  Settings
>;
