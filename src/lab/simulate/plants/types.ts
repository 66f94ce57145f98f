import type { Loop } from "../../../monitor/cycle/tick.ts";
import type { LoopSettings, Reporter } from "../../../monitor/cycle/types.ts";
import type { admission } from "../../../monitor/guards/index.ts";
import type { Action } from "../../../monitor/kernel/action.ts";
import type { MetricSource } from "../../../monitor/kernel/observation.ts";
import type { Store } from "../../../monitor/kernel/store.ts";
import type { Clock } from "../../../monitor/kernel/time.ts";
import type { Notifier } from "../../../monitor/kernel/verification.ts";

/** What a plant may know of the process that it is planted in. */
export interface Soil {
  /** World time, milliseconds. */
  readonly now: () => number;
  readonly settings: () => LoopSettings;
  readonly clock: Clock;
  /** Undefined while it is being made. */
  readonly loop: () => Loop | undefined;
}

/**
 * A bug on purpose, at a port of the loop: nothing of the program itself is changed. One that no promise catches means
 * that the promises are not watched well enough.
 */
export interface Plant {
  readonly name: string;
  /** What is wrong, in one line. */
  readonly about: string;
  /** Promises that may be the first to break. */
  readonly breaks: readonly number[];
  /** Asks the guards about one step, in place of what asks all of them. */
  readonly admission?: typeof admission;
  readonly settings?: (settings: LoopSettings) => LoopSettings;
  readonly clock?: (clock: Clock) => Clock;
  readonly source?: (source: MetricSource, soil: Soil) => MetricSource;
  readonly store?: (store: Store, soil: Soil) => Store;
  readonly action?: (action: Action, soil: Soil) => Action;
  readonly notifier?: (notifier: Notifier, soil: Soil) => Notifier;
  readonly reporter?: (reporter: Reporter, soil: Soil) => Reporter;
  readonly loop?: (loop: Loop, soil: Soil) => Loop;
  readonly deadline?: (deadline: (ms: number) => AbortSignal) => (ms: number) => AbortSignal;
  readonly newId?: (newId: () => string) => () => string;
  /** Lets in callers of the webhook without a token. */
  readonly open?: boolean;
}
