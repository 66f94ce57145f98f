import type { Config } from "../../../monitor/config/types.ts";
import { hashText } from "../engine/random.ts";
import { VirtualTime } from "../engine/time.ts";
import { createTrace, type Trace } from "../engine/trace.ts";
import { ActiveFaults } from "../faults/active.ts";
import type { Plant } from "../plants/types.ts";
import { hostOf, type Scenario } from "../scenario.ts";
import type { Checker, EffectFact, IntentFact, Violation } from "./facts.ts";
import { type Outside, openOutside } from "./outside.ts";
import { PrometheusModel } from "./prometheus.ts";
import { type Effect, ServiceModel } from "./service.ts";
import { Truth } from "./truth.ts";

/** What a run is for, beside its scenario. */
export interface WorldOptions {
  readonly scenario: Scenario;
  /** Folder for files, in memory where there is one. */
  readonly folder: string;
  /** A bug to plant. */
  readonly plant?: Plant | undefined;
  /** Lines of the trace to keep. */
  readonly keepLines: number;
}

/** Everything outside the monitors, and all that is known of what happened. */
export class World {
  readonly options: WorldOptions;
  readonly scenario: Scenario;
  readonly time = new VirtualTime();
  readonly trace: Trace;
  readonly faults: ActiveFaults;
  readonly truth: Truth;
  readonly prometheus: PrometheusModel;
  readonly services = new Map<string, ServiceModel>();
  /** What playbooks of the world's own call. */
  readonly outside: Outside | undefined;
  readonly violations: Violation[] = [];
  readonly effects: EffectFact[] = [];
  /** Every intent that ever was on a disk, by site and id. */
  readonly intents = new Map<string, IntentFact>();
  /** The same by site and run. */
  readonly runs = new Map<string, IntentFact[]>();
  /** What a configuration file came to: one that was read before in this world comes to the same. */
  readonly configs = new Map<string, Config>();
  readonly #checkers: Checker[] = [];
  /** What people were last told of each target: when, and until when on their clock it lasts. */
  readonly pages = new Map<string, { readonly atMs: number; readonly endsWallMs: number }>();
  /** Counts for the summary. */
  readonly counts = { cycles: 0, calls: 0, escalations: 0, starts: 0 };

  constructor(options: WorldOptions, rateWindowMs: number) {
    this.options = options;
    const { scenario } = options;
    this.scenario = scenario;
    this.trace = createTrace(options.keepLines);
    const line = (text: string) => this.trace.line(this.time.now, text);
    this.faults = new ActiveFaults((event) => line(`fault ${event.id} ${event.kind} strikes`));
    this.truth = new Truth(scenario, (event) => this.faults.felt(event));
    this.prometheus = new PrometheusModel({
      faults: this.faults,
      truth: this.truth,
      targets: scenario.targets,
      rateWindowMs,
      now: () => this.time.now,
    });
    const effect = (e: Effect) => this.took(e);
    for (const [target, spec] of scenario.targets.entries())
      for (let n = 0; n < spec.instances; n += 1) {
        const instance = hostOf(spec.name, n);
        const { faults, time } = this;
        const of = { target, name: spec.name, instance, faults, time, effect };
        this.services.set(instance, new ServiceModel(of));
      }
    const { folder } = options;
    const leak = (text: string) => this.violate(3, text);
    this.outside =
      scenario.strangers && openOutside(scenario.strangers, { folder, faults: this.faults, effect, leak });
  }

  line(text: string): void {
    this.trace.line(this.time.now, text);
  }

  watch(checkers: readonly Checker[]): void {
    this.#checkers.push(...checkers);
  }

  /** Tells every checker. Stops the world at the first broken promise. */
  tell<K extends keyof Checker>(
    what: K,
    ...args: Checker[K] extends ((...given: infer A) => void) | undefined ? A : never
  ): void {
    if (this.violations.length > 0) return;
    for (const checker of this.#checkers) {
      const hear = checker[what] as ((...given: unknown[]) => void) | undefined;
      hear?.apply(checker, args);
    }
  }

  violate(promise: number, text: string): void {
    if (this.violations.length > 0) return;
    this.violations.push({ promise, atMs: this.time.now, text });
    this.line(`VIOLATION of promise ${promise}: ${text}`);
    this.time.stop();
  }

  /** Something was really done. */
  took(effect: Effect): void {
    const { instance, kind, key } = effect;
    const fact: EffectFact = { ...effect, atMs: this.time.now };
    this.effects.push(fact);
    this.truth.act(fact);
    this.line(`effect ${kind} on ${instance} key ${key} epoch ${effect.epoch ?? "none"}`);
    this.tell("effect", fact);
  }

  /** Mixes a text into the trace without a line. */
  mixText(text: string): void {
    let code = this.#codes.get(text);
    if (code === undefined) {
      code = hashText(text);
      this.#codes.set(text, code);
    }
    this.trace.mix(code);
  }
  readonly #codes = new Map<string, number>();
}
