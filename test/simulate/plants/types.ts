import type { Action } from "../../../src/domain/action.ts";
import type { MetricSource } from "../../../src/domain/observation.ts";
import type { Store } from "../../../src/domain/store.ts";
import type { Clock } from "../../../src/domain/time.ts";
import type { Escalator } from "../../../src/domain/verification.ts";
import type { Loop } from "../../../src/loop/loop.ts";
import type { LoopSettings, Reporter } from "../../../src/loop/types.ts";

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
  readonly settings?: (settings: LoopSettings) => LoopSettings;
  readonly clock?: (clock: Clock) => Clock;
  readonly source?: (source: MetricSource, soil: Soil) => MetricSource;
  readonly store?: (store: Store, soil: Soil) => Store;
  readonly action?: (action: Action, soil: Soil) => Action;
  readonly escalator?: (escalator: Escalator, soil: Soil) => Escalator;
  readonly reporter?: (reporter: Reporter, soil: Soil) => Reporter;
  readonly loop?: (loop: Loop, soil: Soil) => Loop;
  readonly deadline?: (deadline: (ms: number) => AbortSignal) => (ms: number) => AbortSignal;
  readonly newId?: (newId: () => string) => () => string;
  /** Lets in callers of the webhook without a token. */
  readonly open?: boolean;
}
