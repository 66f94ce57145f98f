import type { Logger } from "pino";
import type { Registry } from "prom-client";
import { Agent } from "undici";
import type { ServiceClock } from "../../kit/clock.ts";
import type { ModelDecision } from "../decision.ts";
import { Breaker, type BreakerState, CircuitOpenError } from "./breaker.ts";
import { AssistantError, askAssistant } from "./client.ts";
import { AssistantMetrics } from "./metrics.ts";

/** Said while the circuits of all assistants are open. The text is the clients' contract. */
export const CIRCUIT_OPEN_MESSAGE = "Circuit Breaker ativado: API LLM indisponível.";

/** Window of the failure rate, milliseconds, and the share that opens a circuit. */
const WINDOW_MS = 10_000;
const FAILURE_RATE = 0.5;
/** Connections to one assistant. */
const MAX_CONNECTIONS = 64;

export interface Assistant {
  readonly name: "primary" | "secondary";
  /** Base URL without a trailing slash. */
  readonly url: string;
}

export interface FailoverOptions {
  /** In the order they are asked. */
  readonly assistants: readonly Assistant[];
  /** For one call, milliseconds. */
  readonly deadlineMs: number;
  /** Fewer calls in 10 s never open a circuit. */
  readonly minCalls: number;
  /** How long a circuit stays open before a probe, milliseconds. */
  readonly openMs: number;
  readonly clock: ServiceClock;
  readonly logger: Logger;
  readonly registry: Registry;
}

/** What asking the assistants in turn led to. */
export type Outcome =
  | { readonly decided: true; readonly decision: ModelDecision; readonly assistant: Assistant["name"] }
  | {
      readonly decided: false;
      /** No assistant was asked, because every circuit is open. */
      readonly circuitOpen: boolean;
      /** The router stops: nothing was found out. */
      readonly aborted: boolean;
      /** One sentence for the client. */
      readonly message: string;
    };

interface Backend extends Assistant {
  readonly breaker: Breaker;
}

/**
 * Asks the assistants in turn, each behind a circuit breaker and a deadline of its own, until one gives a decision that
 * holds to the schema.
 */
export class Failover {
  readonly #options: FailoverOptions;
  readonly #backends: readonly Backend[];
  readonly #metrics: AssistantMetrics;
  readonly #agent = new Agent({ connections: MAX_CONNECTIONS, pipelining: 1, maxHeaderSize: 8_192 });
  readonly #stopping = new AbortController();
  #closing: Promise<void> | undefined;

  constructor(options: FailoverOptions) {
    this.#options = options;
    this.#metrics = new AssistantMetrics(
      options.registry,
      options.assistants.map(({ name }) => name),
    );
    this.#backends = options.assistants.map((assistant) => ({
      ...assistant,
      breaker: new Breaker({
        windowMs: WINDOW_MS,
        failureRate: FAILURE_RATE,
        minCalls: options.minCalls,
        openMs: options.openMs,
        monoMs: () => options.clock.monoMs(),
        counts: (error) => !(error instanceof AssistantError && error.kind === "aborted"),
        onChange: (state) => this.#circuitChanged(assistant.name, state),
      }),
    }));
  }

  get metrics(): AssistantMetrics {
    return this.#metrics;
  }

  /** States of the circuits by assistant. */
  states(): Readonly<Record<string, BreakerState>> {
    return Object.fromEntries(this.#backends.map(({ name, breaker }) => [name, breaker.state]));
  }

  /** Never throws for what an assistant does. Takes at most the deadline for each assistant. */
  async decide(prompt: string): Promise<Outcome> {
    let asked = 0;
    for (const backend of this.#backends) {
      try {
        const decision = await backend.breaker.run(() => {
          asked += 1;
          return this.#ask(backend, prompt);
        });
        return { decided: true, decision, assistant: backend.name };
      } catch (error) {
        if (error instanceof CircuitOpenError) continue;
        if (!(error instanceof AssistantError)) throw error;
        if (error.kind === "aborted") {
          return { decided: false, circuitOpen: false, aborted: true, message: "the router stops" };
        }
        this.#options.logger.warn(
          { assistant: backend.name, kind: error.kind, reason: error.reason, error: error.message },
          "assistant gave no decision",
        );
      }
    }
    return {
      decided: false,
      circuitOpen: asked === 0,
      aborted: false,
      message: asked === 0 ? CIRCUIT_OPEN_MESSAGE : "No assistant gave a valid decision.",
    };
  }

  /** Ends the calls under way. Repeated calls wait for the first. */
  close(): Promise<void> {
    this.#stopping.abort();
    this.#closing ??= this.#agent.destroy();
    return this.#closing;
  }

  async #ask(backend: Backend, prompt: string): Promise<ModelDecision> {
    const { clock, deadlineMs } = this.#options;
    const startMs = clock.monoMs();
    const seconds = () => (clock.monoMs() - startMs) / 1_000;
    try {
      const decision = await askAssistant({
        url: backend.url,
        prompt,
        deadlineMs,
        dispatcher: this.#agent,
        stopping: this.#stopping.signal,
      });
      this.#metrics.called(backend.name, seconds());
      return decision;
    } catch (error) {
      if (error instanceof AssistantError) this.#metrics.called(backend.name, seconds(), error);
      throw error;
    }
  }

  #circuitChanged(assistant: string, state: BreakerState): void {
    this.#metrics.circuit(assistant, state);
    const level = state === "open" ? "error" : "info";
    this.#options.logger[level]({ assistant, state }, "circuit of an assistant changed");
  }
}
