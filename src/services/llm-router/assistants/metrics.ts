import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import { BREAKER_STATES, type BreakerState } from "./breaker.ts";
import { type AssistantError, type FailureKind, INVALID_REASONS } from "./client.ts";

export type DecisionSource = "primary" | "secondary" | "fallback";

const OUTCOMES: readonly ("ok" | Exclude<FailureKind, "aborted">)[] = ["ok", "invalid", "error", "timeout"];

/** What the router counts about its assistants. Every series exists at 0, so that a ratio can be taken at once. */
export class AssistantMetrics {
  readonly #requests: Counter<"assistant" | "outcome">;
  readonly #invalid: Counter<"assistant" | "reason">;
  readonly #duration: Histogram<"assistant">;
  readonly #state: Gauge<"assistant" | "state">;
  readonly #decisions: Counter<"source">;

  constructor(registry: Registry, assistants: readonly string[]) {
    const registers = [registry];
    this.#requests = new Counter({
      name: "model_requests_total",
      help: "Calls of an assistant that ended, by outcome.",
      labelNames: ["assistant", "outcome"],
      registers,
    });
    this.#invalid = new Counter({
      name: "model_invalid_outputs_total",
      help: "Outputs of an assistant that were no decision: refused by the schema, or cut off.",
      labelNames: ["assistant", "reason"],
      registers,
    });
    this.#duration = new Histogram({
      name: "model_request_duration_seconds",
      help: "Duration of the calls of an assistant.",
      labelNames: ["assistant"],
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers,
    });
    this.#state = new Gauge({
      name: "llm_router_circuit_state",
      help: "1 for the state that the circuit of an assistant is in.",
      labelNames: ["assistant", "state"],
      registers,
    });
    this.#decisions = new Counter({
      name: "llm_router_decisions_total",
      help: "Decisions by source; fallback: the safe answer with confidence 0.0.",
      labelNames: ["source"],
      registers,
    });
    for (const source of ["primary", "secondary", "fallback"]) this.#decisions.inc({ source }, 0);
    for (const assistant of assistants) {
      for (const outcome of OUTCOMES) this.#requests.inc({ assistant, outcome }, 0);
      for (const reason of INVALID_REASONS) this.#invalid.inc({ assistant, reason }, 0);
      this.#duration.zero({ assistant });
      this.circuit(assistant, "closed");
    }
  }

  /** A call ended; without an error it gave a decision. */
  called(assistant: string, seconds: number, error?: AssistantError): void {
    if (error?.kind === "aborted") return;
    this.#requests.inc({ assistant, outcome: error?.kind ?? "ok" });
    this.#duration.observe({ assistant }, seconds);
    if (error?.reason !== undefined) this.#invalid.inc({ assistant, reason: error.reason });
  }

  circuit(assistant: string, present: BreakerState): void {
    for (const state of BREAKER_STATES) this.#state.set({ assistant, state }, state === present ? 1 : 0);
  }

  decided(source: DecisionSource): void {
    this.#decisions.inc({ source });
  }
}
