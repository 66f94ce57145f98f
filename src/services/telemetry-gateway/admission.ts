import type { DurableQueue } from "../queue/types.ts";
import { QueueUnavailableError } from "../queue/types.ts";
import type { RegionControls } from "./controls.ts";
import {
  MalformedMessageError,
  messageKey,
  parseTelemetry,
  parseTopic,
  type Route,
  type Telemetry,
} from "./message.ts";
import type { GatewayMetrics } from "./metrics.ts";
import { isRegion, type Region, UNROUTED } from "./regions.ts";

/**
 * What became of a message. `accepted`, `duplicate` and `malformed` (kept as a dead letter) are final and may be
 * acknowledged; a refused one must not be.
 */
export type Verdict =
  | { readonly kind: "accepted" | "duplicate" }
  | { readonly kind: "malformed"; readonly detail: string }
  | {
      readonly kind: "refused";
      readonly reason: "full" | "limited" | "isolated" | "unavailable";
      readonly retryAfterS: number;
    };

/** Seconds after which a device may come again when the buffer is full or cannot write. */
const RETRY_S = 5;

/** The one way into the buffer, whatever the protocol: limits first, then the content, then the durable write. */
export class Admission {
  readonly #queue: DurableQueue;
  readonly #controls: RegionControls;
  readonly #metrics: GatewayMetrics;

  constructor(options: {
    readonly queue: DurableQueue;
    readonly controls: RegionControls;
    readonly metrics: GatewayMetrics;
  }) {
    this.#queue = options.queue;
    this.#controls = options.controls;
    this.#metrics = options.metrics;
  }

  /** A message published on a topic. Never throws. */
  publish(topic: string, payload: Uint8Array): Promise<Verdict> {
    let route: Route;
    try {
      route = parseTopic(topic);
    } catch (error) {
      return this.#bury(undefined, topic, payload, error);
    }
    const hindered = this.#hindered(route.region);
    if (hindered !== undefined) return Promise.resolve(hindered);
    try {
      return this.#store(route, parseTelemetry(payload), payload);
    } catch (error) {
      return this.#bury(route.region, topic, payload, error);
    }
  }

  /** A message that came checked, e.g. in a batch. Never throws. */
  accept(route: Route, telemetry: Telemetry): Promise<Verdict> {
    const hindered = this.#hindered(route.region);
    if (hindered !== undefined) return Promise.resolve(hindered);
    return this.#store(route, telemetry, Buffer.from(JSON.stringify(telemetry)));
  }

  /** Whether a message of the region would be refused now for its limits or for want of room. Takes nothing. */
  blocked(region: Region): boolean {
    return this.#controls.isolatedSeconds(region) > 0 || this.#queue.fill(region) >= 1;
  }

  async #store(route: Route, telemetry: Telemetry, payload: Uint8Array): Promise<Verdict> {
    const { region, device } = route;
    try {
      const key = messageKey(device, telemetry.id);
      const outcome = await this.#queue.offer({ lane: region, key, payload });
      if (outcome === "full") return this.#refuse(region, "full", RETRY_S);
      this.#metrics.received(region, outcome);
      return { kind: outcome };
    } catch (error) {
      if (error instanceof QueueUnavailableError) return this.#refuse(region, "unavailable", RETRY_S);
      throw error;
    }
  }

  async #bury(
    region: Region | undefined,
    topic: string,
    payload: Uint8Array,
    error: unknown,
  ): Promise<Verdict> {
    if (!(error instanceof MalformedMessageError)) throw error;
    const lane = region ?? UNROUTED;
    try {
      await this.#queue.bury({ lane, key: topic.slice(0, 500), payload }, `malformed: ${error.message}`);
    } catch (problem) {
      if (problem instanceof QueueUnavailableError) return this.#refuse(lane, "unavailable", RETRY_S);
      throw problem;
    }
    this.#metrics.received(lane, "malformed");
    this.#metrics.deadLettered(lane, "malformed");
    return { kind: "malformed", detail: error.message };
  }

  #hindered(region: Region): Verdict | undefined {
    const hindrance = this.#controls.admit(region);
    return hindrance === undefined
      ? undefined
      : this.#refuse(region, hindrance.reason, hindrance.retryAfterS);
  }

  #refuse(
    lane: string,
    reason: "full" | "limited" | "isolated" | "unavailable",
    retryAfterS: number,
  ): Verdict {
    this.#metrics.received(isRegion(lane) ? lane : UNROUTED, reason);
    return { kind: "refused", reason, retryAfterS };
  }
}
