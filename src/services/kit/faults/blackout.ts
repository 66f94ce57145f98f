import type { Answer } from "../ledger.ts";
import type { Parameter, ParameterValues } from "../parameters.ts";
import type { FaultMode, InjectionTime } from "./fault-mode.ts";
import { constantRamp, type Ramp, rampAt } from "./ramp.ts";
import { ShareSelector } from "./share.ts";

/** A scrape that waits: `answer` is called when the blackout ends, `drop` when it will never be answered. */
export interface HeldScrape {
  answer(): void;
  drop(): void;
}

/** More waiting scrapes than this are cut off, so that a flood cannot exhaust sockets. */
const MAX_HELD_SCRAPES = 100;

/**
 * `/metrics` stops answering: the connection stays open without an answer until the blackout ends or is mitigated.
 * With `over`, the share of scrapes that go unanswered grows from none to all. A later call replaces the first.
 */
export class BlackoutFault implements FaultMode {
  readonly mode = "blackout";
  readonly parameters: readonly Parameter[] = [
    { name: "seconds", type: "number", unit: "seconds", min: 0, aboveMin: true, max: 86_400, optional: true },
  ];
  readonly #selector = new ShareSelector();
  readonly #held = new Set<HeldScrape>();
  #share: Ramp = constantRamp(0);
  #endMs = Number.POSITIVE_INFINITY;

  inject(values: ParameterValues, time: InjectionTime): Answer {
    const seconds = values.optionalNumber("seconds");
    this.#share = { from: time.overMs > 0 ? 0 : 1, to: 1, startMs: time.nowMs, durationMs: time.overMs };
    this.#endMs = seconds === undefined ? Number.POSITIVE_INFINITY : time.nowMs + seconds * 1_000;
    return { blackout_seconds: seconds ?? null };
  }

  /** True when the scrape must wait; it is then held until the end. */
  hold(scrape: HeldScrape, nowMs: number): boolean {
    this.advance(nowMs);
    const share = rampAt(this.#share, nowMs);
    if (share <= 0 || !this.#selector.pick(share)) return false;
    if (this.#held.size >= MAX_HELD_SCRAPES) scrape.drop();
    else this.#held.add(scrape);
    return true;
  }

  /** The client gave up. */
  forget(scrape: HeldScrape): void {
    this.#held.delete(scrape);
  }

  /** Cuts off what waits; the service stops. */
  dropHeld(): void {
    for (const scrape of this.#held) scrape.drop();
    this.#held.clear();
  }

  advance(nowMs: number): void {
    if (nowMs >= this.#endMs) this.clear();
  }

  clear(): boolean {
    const active = this.#share.to > 0;
    this.#share = constantRamp(0);
    this.#endMs = Number.POSITIVE_INFINITY;
    this.#selector.reset();
    const waiting = [...this.#held];
    this.#held.clear();
    for (const scrape of waiting) scrape.answer();
    return active;
  }

  describe(nowMs: number): Answer | undefined {
    if (this.#share.to === 0 || nowMs >= this.#endMs) return undefined;
    const left = Number.isFinite(this.#endMs) ? Math.ceil((this.#endMs - nowMs) / 1_000) : null;
    return { share: rampAt(this.#share, nowMs), seconds_left: left, held_scrapes: this.#held.size };
  }
}
