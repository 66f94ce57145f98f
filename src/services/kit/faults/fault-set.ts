import { ParameterError } from "../errors.ts";
import type { Answer } from "../ledger.ts";
import { checkParameters, type NumberParameter, quoted } from "../parameters.ts";
import { BacklogFault } from "./backlog.ts";
import { BlackoutFault } from "./blackout.ts";
import { ErrorFault } from "./error-ratio.ts";
import type { FaultMode } from "./fault-mode.ts";
import { LatencyFault } from "./latency.ts";
import { LeakFault } from "./leak.ts";

/** What a mitigation undid. */
export interface Cleared {
  readonly freedChunks: number;
  /** Modes that were active. */
  readonly modes: readonly string[];
}

/** A fault call whose parameters are right, ready to take effect. */
export interface PlannedFault {
  readonly mode: string;
  /** Takes effect at `nowMs` (monotonic) and answers as the call does. Throws `HttpError`: nothing changed. */
  inject(nowMs: number): Answer;
}

const OVER: NumberParameter = {
  name: "over",
  type: "number",
  unit: "seconds",
  min: 0,
  aboveMin: true,
  max: 86_400,
  optional: true,
};

/** The faults of one service: the five of every service, and its own. */
export class FaultSet {
  readonly latency = new LatencyFault();
  readonly leak = new LeakFault();
  readonly error = new ErrorFault();
  readonly backlog = new BacklogFault();
  readonly blackout = new BlackoutFault();
  readonly #extra: readonly FaultMode[];
  #hasQueue = false;

  constructor(extra: readonly FaultMode[] = []) {
    this.#extra = extra;
    const names = this.#all().map((fault) => fault.mode);
    const twice = names.find((name, index) => names.indexOf(name) !== index);
    if (twice !== undefined) throw new TypeError(`two fault modes are named ${twice}`);
  }

  /** The service has a queue, so that `backlog` means something. */
  enableBacklog(): void {
    this.#hasQueue = true;
  }

  /** Modes this service takes. */
  modes(): readonly string[] {
    return this.#offered().map((fault) => fault.mode);
  }

  /** Names of the parameters of every mode, `mode` and `over` included. */
  parameterNames(): readonly string[] {
    const own = this.#all().flatMap((fault) => fault.parameters.map((parameter) => parameter.name));
    return ["mode", OVER.name, ...own];
  }

  /** Checks a query. Throws `ParameterError` naming what is wrong; nothing has changed either way. */
  plan(query: ReadonlyMap<string, string>): PlannedFault {
    const fault = this.#select(query.get("mode"));
    const values = checkParameters({ query, parameters: [...fault.parameters, OVER], selectors: ["mode"] });
    const over = values.optionalNumber("over");
    return {
      mode: fault.mode,
      inject: (nowMs) => ({
        mode: fault.mode,
        ...fault.inject(values, { nowMs, overMs: (over ?? 0) * 1_000 }),
        ...(over === undefined ? {} : { over_seconds: over }),
      }),
    };
  }

  /** Undoes every fault. */
  clear(): Cleared {
    const freedChunks = this.leak.chunks;
    const modes = this.#all().filter((fault) => fault.clear());
    return { freedChunks, modes: modes.map((fault) => fault.mode) };
  }

  /** Present state by mode, active ones only. */
  describe(nowMs: number): Record<string, Answer> {
    const present: Record<string, Answer> = {};
    for (const fault of this.#all()) {
      const state = fault.describe(nowMs);
      if (state !== undefined) present[fault.mode] = state;
    }
    return present;
  }

  advance(nowMs: number): void {
    for (const fault of this.#all()) fault.advance?.(nowMs);
  }

  #select(mode: string | undefined): FaultMode {
    const found = this.#offered().find((fault) => fault.mode === mode);
    if (found !== undefined) return found;
    const known = this.#all().some((fault) => fault.mode === mode);
    const wrong = mode === undefined ? "parameter mode is missing" : `unknown mode ${quoted(mode)}`;
    throw new ParameterError({
      error: known ? `mode ${mode} needs a queue, and this service has none` : wrong,
      parameter: "mode",
      expected: `one of ${this.modes().join(", ")}`,
    });
  }

  #offered(): readonly FaultMode[] {
    return this.#all().filter((fault) => fault !== this.backlog || this.#hasQueue);
  }

  #all(): readonly FaultMode[] {
    return [this.latency, this.leak, this.error, this.backlog, this.blackout, ...this.#extra];
  }
}
