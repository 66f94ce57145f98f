import type { Logger } from "pino";
import { z } from "zod";
import type { ServiceClock } from "../../kit/clock.ts";
import { readIfThere, removeDurably, setAside, writeDurably } from "./durable-file.ts";
import { seal, unseal } from "./sealed.ts";

/** Longest hold, seconds: a day. */
export const MAX_HOLD_SECONDS = 86_400;
/** A damaged record says that a hold was in place, not until when: it is kept this long, seconds. */
const DAMAGED_HOLD_SECONDS = 300;

const record = z.strictObject({
  until_ms: z.number().int().min(0),
  seconds: z.number().gt(0).max(MAX_HOLD_SECONDS),
});

export interface HoldChange {
  /** Whether the hold was in place before the call. */
  readonly wasActive: boolean;
  /** False: the disk refused, so that a restart will not know of the change. */
  readonly durable: boolean;
}

/**
 * Something that holds for a time and then ends by itself, also over restarts. While the process lives it counts on the
 * monotonic clock; over a restart on the wall clock, and then never longer than it was asked for.
 */
export class TimedHold {
  readonly #file: string;
  readonly #clock: ServiceClock;
  readonly #logger: Logger;
  #endMonoMs: number;
  #announced = true;

  constructor(options: { readonly file: string; readonly clock: ServiceClock; readonly logger: Logger }) {
    this.#file = options.file;
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#endMonoMs = this.#clock.monoMs() + this.#savedMs();
    this.#announced = !this.active;
  }

  /** True once after it ended by itself. To be asked now and then. */
  ended(): boolean {
    if (this.#announced || this.active) return false;
    this.#announced = true;
    this.#onDisk(() => removeDurably(this.#file));
    return true;
  }

  /** Seconds it still holds; 0 when it does not. */
  remainingSeconds(): number {
    return Math.max(0, this.#endMonoMs - this.#clock.monoMs()) / 1_000;
  }

  get active(): boolean {
    return this.remainingSeconds() > 0;
  }

  /** Holds for `seconds` from now (0 < seconds <= 86,400); a hold in place is replaced. Works even when the disk does not. */
  start(seconds: number): HoldChange {
    const wasActive = this.active;
    this.#endMonoMs = this.#clock.monoMs() + seconds * 1_000;
    this.#announced = false;
    const untilMs = Math.ceil(this.#clock.wallMs() + seconds * 1_000);
    const payload = Buffer.from(JSON.stringify({ until_ms: untilMs, seconds }), "utf8");
    return { wasActive, durable: this.#onDisk(() => writeDurably(this.#file, seal("hold", payload))) };
  }

  /** Ends it now. */
  release(): HoldChange {
    const wasActive = this.active;
    this.#endMonoMs = this.#clock.monoMs();
    this.#announced = true;
    return { wasActive, durable: this.#onDisk(() => removeDurably(this.#file)) };
  }

  #savedMs(): number {
    try {
      const sealed = readIfThere(this.#file);
      if (sealed === undefined) return 0;
      const saved = record.parse(JSON.parse(unseal("hold", sealed).toString("utf8")));
      return Math.min(saved.seconds * 1_000, Math.max(0, saved.until_ms - this.#clock.wallMs()));
    } catch (error) {
      return this.#assumeHeld(error as Error);
    }
  }

  #assumeHeld(error: Error): number {
    const moved = { set_aside: "" };
    this.#onDisk(() => {
      moved.set_aside = setAside(this.#file, this.#clock.wallMs());
    });
    this.#logger.error(
      { file: this.#file, reason: error.message, assumed_seconds: DAMAGED_HOLD_SECONDS, ...moved },
      "damaged hold record, assuming that it holds",
    );
    return DAMAGED_HOLD_SECONDS * 1_000;
  }

  #onDisk(work: () => void): boolean {
    try {
      work();
      return true;
    } catch (error) {
      this.#logger.error({ file: this.#file, err: error }, "hold record cannot be written");
      return false;
    }
  }
}
