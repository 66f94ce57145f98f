import type { FaultMode, InjectionTime } from "../kit/faults/fault-mode.ts";
import { constantRamp, type Ramp, rampAt, steerTo } from "../kit/faults/ramp.ts";
import { ShareSelector } from "../kit/faults/share.ts";
import type { Answer } from "../kit/ledger.ts";
import type { NumberParameter, Parameter, ParameterValues } from "../kit/parameters.ts";
import type { ModelDecision } from "../llm-router/decision.ts";

const RATIO: NumberParameter = { name: "ratio", type: "number", unit: "", min: 0, aboveMin: true, max: 1 };

/** A fault of the model's output that strikes a share of the answers; a later call replaces the first. */
export class OutputFault implements FaultMode {
  readonly mode: string;
  readonly parameters: readonly Parameter[];
  readonly #defaults: Readonly<Record<string, number>>;
  readonly #selector = new ShareSelector();
  #ramp: Ramp = constantRamp(0);
  #values: Readonly<Record<string, number>> = {};

  /** `further` are parameters beside the ratio, optional, with their defaults. */
  constructor(options: {
    readonly mode: string;
    /** False: the ratio may be left out and is 1. */
    readonly ratioRequired: boolean;
    readonly further?: readonly { readonly parameter: NumberParameter; readonly fallback: number }[];
  }) {
    const further = options.further ?? [];
    this.mode = options.mode;
    this.parameters = [
      options.ratioRequired ? RATIO : { ...RATIO, optional: true },
      ...further.map(({ parameter }) => ({ ...parameter, optional: true })),
    ];
    this.#defaults = Object.fromEntries(further.map(({ parameter, fallback }) => [parameter.name, fallback]));
  }

  inject(values: ParameterValues, time: InjectionTime): Answer {
    this.#ramp = steerTo(this.#ramp, { to: values.optionalNumber("ratio") ?? 1, ...time });
    this.#values = Object.fromEntries(
      Object.entries(this.#defaults).map(([name, fallback]) => [
        name,
        values.optionalNumber(name) ?? fallback,
      ]),
    );
    return { [`${this.mode}_ratio`]: this.#ramp.to, ...this.#values };
  }

  /** Whether the answer that is due at `nowMs` (monotonic) is struck. */
  strikes(nowMs: number): boolean {
    const ratio = rampAt(this.#ramp, nowMs);
    return ratio > 0 && this.#selector.pick(ratio);
  }

  /** Value of a further parameter. */
  value(name: string): number {
    return this.#values[name] ?? this.#defaults[name] ?? 0;
  }

  clear(): boolean {
    const active = this.#ramp.to > 0;
    this.#ramp = constantRamp(0);
    this.#selector.reset();
    return active;
  }

  describe(nowMs: number): Answer | undefined {
    if (this.#ramp.to === 0) return undefined;
    return { ratio: rampAt(this.#ramp, nowMs), final_ratio: this.#ramp.to, ...this.#values };
  }
}

/** What a model that has drifted answers instead of a decision: each breaks the schema in another way. */
const DRIFTED: readonly ((decision: ModelDecision) => string)[] = [
  ({ confidence, rationale }) => JSON.stringify({ confidence, rationale }),
  (decision) => JSON.stringify({ ...decision, confidence: 1 + decision.confidence }),
  (decision) => JSON.stringify({ ...decision, confidence: "high" }),
  (decision) => JSON.stringify({ ...decision, action: "drop_all_tables" }),
  (decision) => JSON.stringify({ ...decision, command: "rm -rf /" }),
  (decision) => `Sure! I would choose ${decision.action}.`,
  (decision) => JSON.stringify(decision).slice(0, -5),
  (decision) => JSON.stringify([decision]),
  (decision) => JSON.stringify({ ...decision, rationale: null }),
  (decision) => `\`\`\`json\n${JSON.stringify(decision)}\n\`\`\``,
];

/** The output of a drifted model; the ways of being wrong take turns by `count`. */
export function driftedOutput(decision: ModelDecision, count: number): string {
  const drift = DRIFTED[count % DRIFTED.length];
  if (drift === undefined) throw new RangeError("count is a whole number, 0 or more");
  return drift(decision);
}
