import mqtt, { type IPublishPacket, type MqttClient } from "mqtt";
import { generate } from "mqtt-packet";
import type { Logger } from "pino";
import type { Random } from "../kit/random.ts";
import type { Admission } from "./admission.ts";
import type { GatewayMetrics } from "./metrics.ts";
import { REGIONS, type Region } from "./regions.ts";

/** Messages of one region between arrival and commit; then the broker is not read. */
const MAX_IN_FLIGHT = 1_000;
/** How often a message that was refused is offered again, milliseconds. */
const HOLD_MS = 100;
const RECONNECT_MS = 1_000;
/** How long `close` waits for messages in flight, milliseconds. */
const DRAIN_MS = 2_000;

export interface SubscriberOptions {
  readonly url: string;
  readonly clientId: string;
  readonly admission: Admission;
  readonly metrics: GatewayMetrics;
  readonly logger: Logger;
  readonly random: Random;
}

/**
 * Takes messages from an external broker, each region on a connection and a persistent session of its own: a region
 * that is limited, isolated or full is simply not read and not acknowledged, the broker keeps its messages, and the
 * others go on. PUBACK follows the durable write.
 */
export class MqttSubscriber {
  readonly #subscriptions: RegionSubscription[];

  constructor(options: SubscriberOptions) {
    let connected = 0;
    const onConnection = (change: 1 | -1) => {
      connected += change;
      options.metrics.connections.set(connected);
    };
    this.#subscriptions = REGIONS.map((region) => new RegionSubscription(region, options, onConnection));
  }

  /** Regions whose connection stands and whose subscription the broker has granted. */
  get ready(): number {
    return this.#subscriptions.filter((subscription) => subscription.ready).length;
  }

  async close(): Promise<void> {
    await Promise.all(this.#subscriptions.map((subscription) => subscription.close()));
  }
}

class RegionSubscription {
  readonly #region: Region;
  readonly #options: SubscriberOptions;
  readonly #client: MqttClient;
  #inFlight = 0;
  #held = 0;
  #closed = false;
  ready = false;

  constructor(region: Region, options: SubscriberOptions, onConnection: (change: 1 | -1) => void) {
    this.#region = region;
    this.#options = options;
    this.#client = mqtt.connect(options.url, {
      protocolVersion: 4,
      clientId: `${options.clientId}-${region}`,
      clean: false,
      resubscribe: true,
      // Another rhythm for each connection, so that they do not all come back at once.
      reconnectPeriod: Math.round(RECONNECT_MS * (1 + options.random())),
    });
    this.#client.handleMessage = (packet, next) => this.#handle(packet, next);
    this.#client.on("connect", () => this.#subscribe(onConnection));
    this.#client.on("close", () => {
      if (this.ready) onConnection(-1);
      this.ready = false;
    });
    this.#client.on("error", (error) =>
      options.logger.warn({ region, err: error }, "MQTT broker connection failed"),
    );
  }

  async close(): Promise<void> {
    this.#closed = true;
    const endMs = performance.now() + DRAIN_MS;
    while (this.#inFlight > this.#held && performance.now() < endMs) await pause(10);
    await this.#client.endAsync(this.#held > 0);
  }

  #subscribe(onConnection: (change: 1 | -1) => void): void {
    const topic = `helius/${this.#region}/+/telemetry`;
    this.#client.subscribe(topic, { qos: 1 }, (error) => {
      if (error !== null) {
        this.#options.logger.warn({ topic, err: error }, "MQTT subscription failed");
        return;
      }
      if (!this.ready) onConnection(1);
      this.ready = true;
      this.#options.logger.info({ topic }, "subscribed at the MQTT broker");
    });
  }

  /**
   * The client library waits with the next message until `next` is called and then acknowledges. Messages must share
   * commits, so `next` is called at once, with an error, which makes the library leave the acknowledgement to us.
   */
  #handle(packet: IPublishPacket, next: (error?: Error) => void): void {
    const { stream } = this.#client;
    const { qos, messageId } = packet;
    const payload = typeof packet.payload === "string" ? Buffer.from(packet.payload) : packet.payload;
    const submit = async () => {
      this.#inFlight += 1;
      try {
        if (!(await this.#admit(packet.topic, payload))) return;
        // After a reconnection the identifier means another message; the broker repeats this one.
        const same = this.#client.stream === stream && this.#client.connected;
        if (qos === 1 && same) stream.write(generate({ cmd: "puback", messageId: messageId ?? 0 }));
      } catch (error) {
        this.#options.logger.error({ err: error }, "a message of the MQTT broker could not be handled");
      } finally {
        this.#inFlight -= 1;
      }
    };
    void this.#room().then(() => {
      void submit();
      next(qos === 1 ? new Error("acknowledged after the durable write") : undefined);
    });
  }

  /** Offers the message until it is taken. False when the gateway stops first. */
  async #admit(topic: string, payload: Buffer): Promise<boolean> {
    let verdict = await this.#options.admission.publish(topic, payload);
    if (verdict.kind !== "refused") return true;
    this.#held += 1;
    try {
      while (verdict.kind === "refused") {
        if (this.#closed) return false;
        await pause(HOLD_MS);
        if (this.#options.admission.blocked(this.#region)) continue;
        verdict = await this.#options.admission.publish(topic, payload);
      }
      return true;
    } finally {
      this.#held -= 1;
    }
  }

  /** Waits while messages are held back or too many are in flight: the broker's socket is not read meanwhile. */
  async #room(): Promise<void> {
    while (!this.#closed && (this.#held > 0 || this.#inFlight >= MAX_IN_FLIGHT)) await pause(5);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
