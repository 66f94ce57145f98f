import { Counter, Gauge, type Registry } from "prom-client";
import type { DurableQueue } from "../queue/types.ts";
import { BREAKER_STATES, type RegionBreaker } from "./breaker.ts";
import type { RegionControls } from "./controls.ts";
import { REGIONS, type Region, type UNROUTED } from "./regions.ts";

/** Results of a received message. */
const RESULTS = ["accepted", "duplicate", "malformed", "full", "limited", "isolated", "unavailable"] as const;
export type Received = (typeof RESULTS)[number];

/** The gateway's counters. Gauges read the parts they show: `watch`. */
export class GatewayMetrics {
  readonly #registry: Registry;
  readonly #received: Counter<"region" | "result">;
  readonly #duplicates: Counter<"region">;
  readonly #delivered: Counter<"region">;
  readonly #retries: Counter<"region">;
  readonly #dead: Counter<"region" | "reason">;
  readonly connections: Gauge;

  constructor(registry: Registry) {
    this.#registry = registry;
    const counter = <T extends string>(name: string, help: string, labelNames: T[]) =>
      new Counter({ name, help, labelNames, registers: [registry] });
    this.#received = counter("telemetry_received_total", "Messages received, by what became of them.", [
      "region",
      "result",
    ]);
    this.#duplicates = counter("telemetry_duplicates_total", "Messages dropped as duplicates.", ["region"]);
    this.#delivered = counter("telemetry_delivered_total", "Messages written downstream.", ["region"]);
    this.#retries = counter("telemetry_retries_total", "Failed attempts that will be repeated.", ["region"]);
    this.#dead = counter("telemetry_dead_lettered_total", "Messages given up and kept as dead letters.", [
      "region",
      "reason",
    ]);
    this.connections = new Gauge({
      name: "telemetry_mqtt_connections",
      help: "Devices connected to the gateway's own MQTT listener, or 1 per connection to an external broker.",
      registers: [registry],
    });
    for (const region of REGIONS) {
      for (const result of RESULTS) this.#received.inc({ region, result }, 0);
      this.#duplicates.inc({ region }, 0);
      this.#delivered.inc({ region }, 0);
      this.#retries.inc({ region }, 0);
      for (const reason of ["malformed", "retries_exhausted"]) this.#dead.inc({ region, reason }, 0);
    }
  }

  received(region: Region | typeof UNROUTED, result: Received): void {
    this.#received.inc({ region, result });
    if (result === "duplicate") this.#duplicates.inc({ region });
  }

  delivered(region: Region, count: number): void {
    this.#delivered.inc({ region }, count);
  }

  retried(region: Region, count: number): void {
    this.#retries.inc({ region }, count);
  }

  deadLettered(region: Region | typeof UNROUTED, reason: "malformed" | "retries_exhausted", count = 1): void {
    this.#dead.inc({ region, reason }, count);
  }

  /** Shows the present state of the parts. */
  watch(parts: {
    readonly queue: DurableQueue;
    readonly controls: RegionControls;
    readonly breakers: ReadonlyMap<Region, RegionBreaker>;
  }): void {
    const { queue, controls, breakers } = parts;
    // The kit shows queues by name only; the gateway's are one queue in several regions.
    this.#registry.removeSingleMetric("queue_depth");
    this.#perRegion(
      "queue_depth",
      "Messages that wait in a queue of the service.",
      (region) => queue.depth(region),
      {
        queue: "telemetry",
      },
    );
    this.#perRegion("telemetry_rate_limit", "Messages a second a region may send.", (region) =>
      controls.rateLimit(region),
    );
    this.#perRegion(
      "telemetry_region_isolated_seconds",
      "Seconds until the isolation of a region ends; 0 = not isolated.",
      (region) => controls.isolatedSeconds(region),
    );
    this.#perRegion("telemetry_buffer_fill_ratio", "Share of a region's buffer in use, 0 to 1.", (region) =>
      queue.fill(region),
    );
    new Gauge({
      name: "telemetry_dead_letters",
      help: "Dead letters kept.",
      registers: [this.#registry],
      collect() {
        this.set(queue.deadCount());
      },
    });
    new Gauge({
      name: "telemetry_circuit_breaker_state",
      help: "1 for the state the breaker of a region is in.",
      labelNames: ["region", "state"],
      registers: [this.#registry],
      collect() {
        for (const [region, breaker] of breakers) {
          for (const state of BREAKER_STATES) this.set({ region, state }, breaker.state === state ? 1 : 0);
        }
      },
    });
  }

  #perRegion(
    name: string,
    help: string,
    value: (region: Region) => number,
    fixed: Readonly<Record<string, string>> = {},
  ): void {
    new Gauge({
      name,
      help,
      labelNames: [...Object.keys(fixed), "region"],
      registers: [this.#registry],
      collect() {
        for (const region of REGIONS) this.set({ ...fixed, region }, value(region));
      },
    });
  }
}
