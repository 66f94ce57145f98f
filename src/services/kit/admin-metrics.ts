import { Gauge, type Registry } from "prom-client";
import type { ServiceClock } from "./clock.ts";
import type { FaultSet } from "./faults/fault-set.ts";

/** Depth of a queue of the service. */
export interface QueueProbe {
  /** Value of the `queue` label. */
  readonly name: string;
  /** Messages that wait. */
  depth(): number;
}

/** Metrics of the admin plane: what is injected, and when it was last undone. */
export class AdminMetrics {
  readonly #lastMitigation: Gauge;
  readonly #registry: Registry;
  readonly #queues: QueueProbe[] = [];

  constructor(options: {
    readonly registry: Registry;
    readonly faults: FaultSet;
    readonly clock: ServiceClock;
  }) {
    const { registry, faults, clock } = options;
    this.#registry = registry;
    new Gauge({
      name: "artificial_latency_injected_ms",
      help: "Artificial latency of every request, milliseconds.",
      registers: [registry],
      collect() {
        this.set(faults.latency.delayMs(clock.monoMs()));
      },
    });
    new Gauge({
      name: "memory_leak_chunks",
      help: "Chunks of memory held by the leak fault.",
      registers: [registry],
      collect() {
        this.set(faults.leak.chunks);
      },
    });
    this.#lastMitigation = new Gauge({
      name: "last_mitigation_timestamp_seconds",
      help: "Time of the last mitigation, seconds since the epoch; 0 before the first since the start.",
      registers: [registry],
    });
  }

  mitigated(wallMs: number): void {
    this.#lastMitigation.set(wallMs / 1_000);
  }

  /** Shows a queue as `queue_depth{queue="NAME"}`. */
  watchQueue(probe: QueueProbe): void {
    this.#queues.push(probe);
    if (this.#queues.length > 1) return;
    const queues = this.#queues;
    new Gauge({
      name: "queue_depth",
      help: "Messages that wait in a queue of the service.",
      labelNames: ["queue"],
      registers: [this.#registry],
      collect() {
        for (const queue of queues) this.set({ queue: queue.name }, queue.depth());
      },
    });
  }
}
