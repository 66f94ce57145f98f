import type { FaultMode, InjectionTime } from "../kit/faults/fault-mode.ts";
import { constantRamp, type Ramp, rampAt, steerTo } from "../kit/faults/ramp.ts";
import { ShareSelector } from "../kit/faults/share.ts";
import type { Answer } from "../kit/ledger.ts";
import type { Parameter, ParameterValues } from "../kit/parameters.ts";
import type { PredictAnswer } from "./answer.ts";

type Item = PredictAnswer["items"][number];

/** Ways a model whose inputs went wrong answers nonsense; each breaks the schema of the answer. */
const SPOILS: readonly ((item: Item) => unknown)[] = [
  // A sum with an unknown feature is no number, and JSON has no word for that.
  (item) => ({ ...item, score: null }),
  (item) => ({ ...item, id: -item.id }),
  (item) => ({ ...item, because: null }),
  (item) => ({ ...item, because: item.because.map((part) => ({ ...part, contribution: "NaN" })) }),
];

/**
 * The model's inputs are garbled for a share of the requests: its answers then break their schema, the explanations name
 * nothing, and the live stream takes in products that nobody looked at. A later call replaces the share.
 */
export class DriftFault implements FaultMode {
  readonly mode = "drift";
  readonly parameters: readonly Parameter[] = [
    { name: "ratio", type: "number", unit: "", min: 0, aboveMin: true, max: 1 },
  ];
  readonly #selector = new ShareSelector();
  #ramp: Ramp = constantRamp(0);
  #struck = 0;

  inject(values: ParameterValues, time: InjectionTime): Answer {
    this.#ramp = steerTo(this.#ramp, { to: values.number("ratio"), ...time });
    return { drift_ratio: this.#ramp.to };
  }

  /** Whether the inputs of the request at `nowMs` are garbled. */
  strikes(nowMs: number): boolean {
    const ratio = rampAt(this.#ramp, nowMs);
    return ratio > 0 && this.#selector.pick(ratio);
  }

  /** Other products than those of the history, `size` being the highest id. */
  garble(history: readonly number[], size: number): readonly number[] {
    return history.map((id) => ((id * 257) % size) + 1);
  }

  /** What the model makes of garbled inputs: one kind of nonsense after the other. An empty answer has nothing to spoil. */
  spoil(answer: PredictAnswer): unknown {
    const spoil = SPOILS[this.#struck % SPOILS.length];
    this.#struck += 1;
    return spoil === undefined ? answer : { ...answer, items: answer.items.map(spoil) };
  }

  clear(): boolean {
    const active = this.#ramp.to > 0;
    this.#ramp = constantRamp(0);
    this.#selector.reset();
    return active;
  }

  describe(nowMs: number): Answer | undefined {
    if (this.#ramp.to === 0) return undefined;
    return { drift_ratio: rampAt(this.#ramp, nowMs), final_ratio: this.#ramp.to };
  }
}
