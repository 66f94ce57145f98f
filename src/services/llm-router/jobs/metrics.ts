import { Counter, Gauge, type Registry } from "prom-client";

const SUBMITTED = ["accepted", "repeated", "full", "unavailable"] as const;
const ATTEMPTS = ["decided", "failed", "circuit_open"] as const;
const ENDED = ["succeeded", "dead"] as const;

/** What the router counts about its jobs. */
export class JobMetrics {
  readonly #submitted: Counter<"result">;
  readonly #attempts: Counter<"outcome">;
  readonly #ended: Counter<"state">;

  constructor(registry: Registry, deadLetters: () => number) {
    const registers = [registry];
    this.#submitted = new Counter({
      name: "llm_router_jobs_submitted_total",
      help: "Submissions of jobs by what became of them.",
      labelNames: ["result"],
      registers,
    });
    this.#attempts = new Counter({
      name: "llm_router_job_attempts_total",
      help: "Attempts to decide a job, by outcome.",
      labelNames: ["outcome"],
      registers,
    });
    this.#ended = new Counter({
      name: "llm_router_jobs_ended_total",
      help: "Jobs that ended: with a decision, or as a dead letter.",
      labelNames: ["state"],
      registers,
    });
    new Gauge({
      name: "llm_router_dead_letters",
      help: "Dead letters that are kept.",
      registers,
      collect() {
        this.set(deadLetters());
      },
    });
    for (const result of SUBMITTED) this.#submitted.inc({ result }, 0);
    for (const outcome of ATTEMPTS) this.#attempts.inc({ outcome }, 0);
    for (const state of ENDED) this.#ended.inc({ state }, 0);
  }

  submitted(result: (typeof SUBMITTED)[number]): void {
    this.#submitted.inc({ result });
  }

  attempted(outcome: (typeof ATTEMPTS)[number]): void {
    this.#attempts.inc({ outcome });
  }

  ended(state: (typeof ENDED)[number]): void {
    this.#ended.inc({ state });
  }
}
