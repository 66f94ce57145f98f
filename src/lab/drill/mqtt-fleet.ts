import mqtt, { type MqttClient } from "mqtt";
import { type Random, seededRandom } from "../../services/kit/random.ts";

export interface MqttFleetOptions {
  /** Where the gateway, or a broker, listens: `mqtt://127.0.0.1:1883`. */
  readonly url: string;
  readonly region: string;
  /** Region whose topics a device uses once its own is refused as isolated. Absent: it waits and tries again. */
  readonly failoverRegion?: string;
  /** Devices, each with a connection of its own, 1 to 1000. */
  readonly devices: number;
  /** Messages a second of all devices together, 0 to 10,000, evenly spaced. */
  readonly messagesPerSecond: number;
  /** Same seed, same readings. Default 1. */
  readonly seed?: number;
  /** Wait after a refusal, milliseconds; it doubles with each to sixteen times that. Default 1000. */
  readonly retryMs?: number;
}

/** A message that the gateway has acknowledged: from here on it is the gateway's to lose. */
export interface AckedMessage {
  /** Region of the topic it was published on. */
  readonly region: string;
  readonly device: string;
  readonly id: string;
}

interface FleetStats {
  /** Messages the devices produced. */
  readonly produced: number;
  readonly acked: number;
  /** Refusals: the device kept the message. */
  readonly refused: number;
  /** Given up by a device whose memory was full; never acknowledged. */
  readonly shed: number;
  /** Still with the devices. */
  readonly waiting: number;
}

export interface MqttFleet {
  readonly region: string;
  /** Changes the rate of all devices together, messages a second. */
  setRate(messagesPerSecond: number): void;
  stats(): FleetStats;
  /** Every message acknowledged so far. */
  acked(): readonly AckedMessage[];
  /** Sends nothing more and closes the connections; what was not acknowledged stays with the devices. */
  stop(): Promise<FleetStats>;
}

/** How often the fleet's clock ticks, milliseconds. */
const TICK_MS = 20;
/** Messages of one device that may wait for their acknowledgement. */
const WINDOW = 50;
/** Messages a device can keep; beyond it the oldest go. */
const MEMORY = 5_000;
const RECONNECT_MS = 500;
const DEFAULT_RETRY_MS = 1_000;
const MAX_RETRY_FACTOR = 16;
/** Devices' own clocks are off by up to this, milliseconds. */
const MAX_SKEW_MS = 3_000;
/** MQTT 5 reason code "not authorized": the gateway says it of an isolated region. */
const NOT_AUTHORIZED = 0x87;

/**
 * Edge devices of one region, over MQTT 5 with QoS 1: each keeps a message until it is acknowledged, sends again what
 * was cut off, and waits longer with each refusal. Readings carry the time of the device's own clock, which is off.
 */
export function startMqttFleet(options: MqttFleetOptions): MqttFleet {
  const { devices: count, region } = options;
  if (!(Number.isInteger(count) && count >= 1 && count <= 1_000))
    throw new RangeError(`devices is ${count}: expected a whole number, 1 to 1000`);
  checkRate(options.messagesPerSecond);
  const random = seededRandom(options.seed ?? 1);
  const acked: AckedMessage[] = [];
  const devices = Array.from(
    { length: count },
    (_, n) => new Device({ ...options, name: `${region}-edge-${n}`, random, acked }),
  );
  let rate = options.messagesPerSecond;
  let credit = 0;
  let turn = 0;
  let lastMs = performance.now();
  const timer = setInterval(() => {
    const nowMs = performance.now();
    credit += ((nowMs - lastMs) / 1_000) * rate;
    lastMs = nowMs;
    for (; credit >= 1; credit -= 1) devices[turn++ % count]?.produce();
    for (const device of devices) device.send(nowMs);
  }, TICK_MS);
  const stats = (): FleetStats => {
    const sum = (of: (device: Device) => number) => devices.reduce((total, device) => total + of(device), 0);
    return {
      produced: sum((d) => d.produced),
      acked: acked.length,
      refused: sum((d) => d.refused),
      shed: sum((d) => d.shed),
      waiting: sum((d) => d.waiting),
    };
  };
  return {
    region,
    setRate(messagesPerSecond) {
      checkRate(messagesPerSecond);
      rate = messagesPerSecond;
    },
    stats,
    acked: () => acked,
    async stop() {
      clearInterval(timer);
      await Promise.all(devices.map((device) => device.close()));
      return stats();
    },
  };
}

function checkRate(messagesPerSecond: number): void {
  if (!(messagesPerSecond >= 0 && messagesPerSecond <= 10_000))
    throw new RangeError(
      `messagesPerSecond is ${messagesPerSecond}: expected 0 <= messages a second <= 10000`,
    );
}

interface Reading {
  readonly id: string;
  readonly ts: number;
  readonly value: number;
}

class Device {
  readonly #options: MqttFleetOptions & { readonly name: string };
  readonly #random: Random;
  readonly #acked: AckedMessage[];
  readonly #client: MqttClient;
  readonly #skewMs: number;
  #outbox: Reading[] = [];
  #inFlight = 0;
  #region: string;
  #refusals = 0;
  #pausedUntilMs = 0;
  #closed = false;
  produced = 0;
  refused = 0;
  shed = 0;

  constructor(
    options: MqttFleetOptions & {
      readonly name: string;
      readonly random: Random;
      readonly acked: AckedMessage[];
    },
  ) {
    this.#options = options;
    this.#random = options.random;
    this.#acked = options.acked;
    this.#region = options.region;
    this.#skewMs = (2 * options.random() - 1) * MAX_SKEW_MS;
    this.#client = mqtt.connect(options.url, {
      protocolVersion: 5,
      clientId: options.name,
      clean: true,
      reconnectPeriod: RECONNECT_MS,
    });
    // A gateway that is away is no error of the device: the client comes back by itself.
    this.#client.on("error", () => {});
  }

  /** Messages not yet acknowledged. */
  get waiting(): number {
    return this.#outbox.length + this.#inFlight;
  }

  /** A new reading. */
  produce(): void {
    const ts = Math.round(Date.now() + this.#skewMs);
    this.#outbox.push({ id: `${ts}-${this.produced++}`, ts, value: 18 + 8 * this.#random() });
    if (this.#outbox.length <= MEMORY) return;
    this.#outbox.shift();
    this.shed += 1;
  }

  /** Publishes what the window and the last refusal allow; after a refusal one message goes ahead of the others. */
  send(nowMs: number): void {
    if (this.#closed || !this.#client.connected || nowMs < this.#pausedUntilMs) return;
    const window = this.#refusals > 0 ? 1 : WINDOW;
    while (this.#inFlight < window) {
      const reading = this.#outbox.shift();
      if (reading === undefined) return;
      this.#publish(reading);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#client.endAsync(true);
  }

  #publish(reading: Reading): void {
    const { name: device } = this.#options;
    const region = this.#region;
    const { id, ts, value } = reading;
    const payload = JSON.stringify({ id, ts, metrics: { temperature: value } });
    this.#inFlight += 1;
    this.#client.publish(`helius/${region}/${device}/telemetry`, payload, { qos: 1 }, (error) => {
      this.#inFlight -= 1;
      if (error === null || error === undefined) {
        this.#refusals = 0;
        this.#acked.push({ region, device, id });
      } else {
        this.#keep(reading, region, (error as { code?: unknown }).code);
      }
    });
  }

  /** The message was refused or cut off: it is the next to go, after a pause. */
  #keep(reading: Reading, region: string, code: unknown): void {
    this.#outbox.unshift(reading);
    if (typeof code !== "number") return;
    this.refused += 1;
    const { failoverRegion, retryMs = DEFAULT_RETRY_MS } = this.#options;
    if (code === NOT_AUTHORIZED && failoverRegion !== undefined && region !== failoverRegion) {
      this.#region = failoverRegion;
      return;
    }
    // Several that were refused at once are one refusal.
    if (performance.now() < this.#pausedUntilMs) return;
    const factor = Math.min(MAX_RETRY_FACTOR, 2 ** this.#refusals);
    this.#refusals += 1;
    // Half to one and a half: what was refused together does not come back together.
    this.#pausedUntilMs = performance.now() + retryMs * factor * (0.5 + this.#random());
  }
}
