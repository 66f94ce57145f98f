import { connect, type Socket } from "node:net";
import { generate, type Packet, parser } from "mqtt-packet";

export interface PublisherOptions {
  readonly port: number;
  readonly region: string;
  readonly device: string;
  /** Messages that may wait for their acknowledgement. */
  readonly window: number;
  /** Messages a second at most; undefined: as fast as the window allows. */
  readonly perSecond?: number;
  /** Ends after so many; undefined: when stopped. */
  readonly total?: number;
}

const PACE_MS = 10;
const RECONNECT_MS = 50;

/**
 * A device that publishes with QoS 1 over MQTT 3.1.1, on a bare socket so that it costs little. What was not
 * acknowledged when the connection broke is sent again, as the standard asks.
 */
export class Publisher {
  readonly #options: PublisherOptions;
  /** Packet identifier → number of the message. */
  readonly #inFlight = new Map<number, number>();
  readonly #acked = new Set<number>();
  #resend: number[] = [];
  #next = 0;
  #packetId = 0;
  #socket: Socket | undefined;
  #open = false;
  #stopped = false;
  #budget = 0;
  readonly #timer: NodeJS.Timeout | undefined;
  #finished: () => void = () => {};
  /** Resolves when `total` messages are acknowledged. */
  readonly done: Promise<void>;

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.done = new Promise((resolve) => {
      this.#finished = resolve;
    });
    const { perSecond } = options;
    if (perSecond !== undefined) {
      this.#timer = setInterval(() => {
        this.#budget = Math.min(options.window, this.#budget + (perSecond * PACE_MS) / 1_000);
        this.#fill();
      }, PACE_MS);
    }
    this.#connect();
  }

  /** Messages handed to the socket at least once. */
  get sent(): number {
    return this.#next;
  }

  get acked(): number {
    return this.#acked.size;
  }

  /** Identifiers of the messages that were acknowledged. */
  ackedIds(): string[] {
    return [...this.#acked].map((number) => this.idOf(number));
  }

  idOf(number: number): string {
    return `${this.#options.device}-${number}`;
  }

  /** Sends nothing more and closes. */
  stop(): void {
    this.#stopped = true;
    clearInterval(this.#timer);
    this.#socket?.destroy();
  }

  #connect(): void {
    if (this.#stopped) return;
    const socket = connect({ port: this.#options.port, host: "127.0.0.1", noDelay: true });
    const incoming = parser({ protocolVersion: 4 });
    incoming.on("packet", (packet) => this.#received(packet));
    this.#socket = socket;
    socket.on("connect", () => {
      const clientId = `${this.#options.region}-${this.#options.device}`;
      socket.write(
        generate({
          cmd: "connect",
          clientId,
          clean: true,
          keepalive: 0,
          protocolId: "MQTT",
          protocolVersion: 4,
        }),
      );
    });
    socket.on("data", (chunk: Buffer) => {
      incoming.parse(chunk);
      this.#fill();
    });
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      this.#open = false;
      this.#resend = [...this.#inFlight.values(), ...this.#resend].filter(
        (number) => !this.#acked.has(number),
      );
      this.#inFlight.clear();
      if (!this.#stopped) setTimeout(() => this.#connect(), RECONNECT_MS);
    });
  }

  #received(packet: Packet): void {
    if (packet.cmd === "connack") this.#open = true;
    if (packet.cmd !== "puback" || packet.messageId === undefined) return;
    const number = this.#inFlight.get(packet.messageId);
    if (number === undefined) return;
    this.#inFlight.delete(packet.messageId);
    this.#acked.add(number);
    if (this.#acked.size === this.#options.total) this.#finished();
  }

  #fill(): void {
    const { window, total = Number.POSITIVE_INFINITY, perSecond, region, device } = this.#options;
    if (!this.#open || this.#stopped) return;
    const out: Buffer[] = [];
    while (this.#inFlight.size < window) {
      const again = this.#resend.shift();
      if (again === undefined && (this.#next >= total || (perSecond !== undefined && this.#budget < 1)))
        break;
      const number = again ?? this.#next++;
      if (again === undefined) this.#budget -= 1;
      do this.#packetId = (this.#packetId % 65_535) + 1;
      while (this.#inFlight.has(this.#packetId));
      this.#inFlight.set(this.#packetId, number);
      out.push(
        generate({
          cmd: "publish",
          topic: `helius/${region}/${device}/telemetry`,
          payload: payloadOf(this.idOf(number)),
          qos: 1,
          messageId: this.#packetId,
          dup: again !== undefined,
          retain: false,
        }),
      );
    }
    if (out.length > 0) this.#socket?.write(Buffer.concat(out));
  }
}

/** A reading of ordinary size, about 100 bytes. */
function payloadOf(id: string): string {
  return JSON.stringify({
    id,
    ts: 1_700_000_000_000,
    metrics: { temperature_c: 21.5, humidity: 40.25, battery_v: 3.71 },
  });
}
