import { randomUUID } from "node:crypto";
import type { Socket } from "node:net";
import {
  generate,
  type IConnectPacket,
  type IPublishPacket,
  type Packet,
  type Parser,
  parser,
} from "mqtt-packet";
import type { Admission, Verdict } from "./admission.ts";
import { MAX_PAYLOAD_BYTES } from "./message.ts";

/** Largest packet that is read: a payload, its topic and its properties. */
const MAX_PACKET_BYTES = MAX_PAYLOAD_BYTES + 4 * 1_024;
/** Messages of one device that may wait for their commit; then its socket is not read. */
const MAX_IN_FLIGHT = 1_000;
/** How long a client has for its CONNECT, milliseconds. */
const CONNECT_MS = 10_000;
/** How long a refused 3.1.1 client is held before it is cut off, milliseconds: it slows its next attempt. */
const HOLD_MS = 1_000;

/** Reason codes of MQTT 5. */
const REASON = {
  success: 0x00,
  notAuthorized: 0x87,
  serverUnavailable: 0x88,
  malformed: 0x81,
  protocolError: 0x82,
  takenOver: 0x8e,
  payloadInvalid: 0x99,
  packetTooLarge: 0x95,
  quotaExceeded: 0x97,
  qosNotSupported: 0x9b,
  shuttingDown: 0x8b,
} as const;

interface Slot {
  readonly messageId: number;
  code: number | undefined;
}

export interface ConnectionOptions {
  readonly socket: Socket;
  readonly admission: Admission;
  /** The client named itself: an older connection of that name must go. */
  readonly onConnected: (clientId: string, connection: DeviceConnection) => void;
  readonly onError: (error: unknown) => void;
}

/**
 * One device. It may publish with QoS 0 and 1; PUBACK is sent when the message is durable, in the order of arrival
 * [MQTT-4.6.0-2]. There is nothing to subscribe to. A refused message is answered with a reason code in MQTT 5; in
 * MQTT 3.1.1, which has none, the connection is closed without an acknowledgement, so that the device keeps it.
 */
export class DeviceConnection {
  readonly #options: ConnectionOptions;
  readonly #parser: Parser;
  readonly #slots: Slot[] = [];
  #version: number | undefined;
  #keepaliveMs = 0;
  #drainPlanned = false;
  #refusing = false;
  #clientId: string | undefined;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    const { socket } = options;
    this.#parser = parser();
    this.#parser.on("packet", (packet) => this.#handle(packet));
    this.#parser.on("error", () => this.#disconnect(REASON.malformed));
    socket.setNoDelay(true);
    socket.setTimeout(CONNECT_MS, () => socket.destroy());
    socket.on("error", () => socket.destroy());
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
  }

  /** Name of the client, once it has connected. */
  get clientId(): string | undefined {
    return this.#clientId;
  }

  /** Another connection took over the name. */
  takeOver(): void {
    this.#disconnect(REASON.takenOver);
  }

  /** The gateway stops. What is in flight and committed is acknowledged first by the drain that is planned. */
  shutDown(): void {
    this.#drain();
    this.#disconnect(REASON.shuttingDown);
  }

  #read(chunk: Buffer): void {
    if (this.#refusing) return;
    try {
      this.#parser.parse(chunk);
    } catch (error) {
      this.#options.onError(error);
      this.#disconnect(REASON.malformed);
      return;
    }
    // The parser gathers a packet until it is whole: one that is too large must not be gathered.
    const length = (this.#parser as unknown as { packet?: { length?: number } }).packet?.length ?? 0;
    if (length > MAX_PACKET_BYTES) this.#disconnect(REASON.packetTooLarge);
  }

  #handle(packet: Packet): void {
    if (this.#refusing) return;
    if (this.#version === undefined) {
      if (packet.cmd === "connect") this.#connect(packet);
      else this.#options.socket.destroy();
      return;
    }
    switch (packet.cmd) {
      case "publish":
        this.#publish(packet);
        return;
      case "pingreq":
        this.#send({ cmd: "pingresp" });
        return;
      case "subscribe": {
        const code = this.#version === 5 ? REASON.notAuthorized : 0x80;
        const granted = packet.subscriptions.map(() => code);
        this.#send({ cmd: "suback", messageId: packet.messageId ?? 0, granted } as Packet);
        return;
      }
      case "unsubscribe":
        this.#send({
          cmd: "unsuback",
          messageId: packet.messageId ?? 0,
          granted: packet.unsubscriptions.map(() => 0x11),
        } as unknown as Packet);
        return;
      case "disconnect":
        this.#options.socket.end();
        return;
      default:
        this.#disconnect(REASON.protocolError);
    }
  }

  #connect(packet: IConnectPacket): void {
    this.#version = packet.protocolVersion ?? 4;
    const named = packet.clientId !== "";
    if (!named && this.#version !== 5 && packet.clean !== true) {
      this.#send({ cmd: "connack", sessionPresent: false, returnCode: 2 });
      this.#options.socket.end();
      return;
    }
    this.#clientId = named ? packet.clientId : `anonymous-${randomUUID()}`;
    this.#keepaliveMs = (packet.keepalive ?? 0) * 1_500;
    this.#options.socket.setTimeout(this.#keepaliveMs);
    this.#options.onConnected(this.#clientId, this);
    if (this.#version !== 5) {
      this.#send({ cmd: "connack", sessionPresent: false, returnCode: 0 });
      return;
    }
    this.#send({
      cmd: "connack",
      sessionPresent: false,
      reasonCode: REASON.success,
      properties: {
        receiveMaximum: MAX_IN_FLIGHT,
        maximumQoS: 1,
        retainAvailable: false,
        maximumPacketSize: MAX_PACKET_BYTES,
        wildcardSubscriptionAvailable: false,
        subscriptionIdentifiersAvailable: false,
        sharedSubscriptionAvailable: false,
        ...(named ? {} : { assignedClientIdentifier: this.#clientId }),
      },
    });
  }

  #publish(packet: IPublishPacket): void {
    if (packet.qos === 2) {
      this.#disconnect(REASON.qosNotSupported);
      return;
    }
    const payload = typeof packet.payload === "string" ? Buffer.from(packet.payload) : packet.payload;
    const slot: Slot | undefined =
      packet.qos === 1 ? { messageId: packet.messageId ?? 0, code: undefined } : undefined;
    if (slot !== undefined) {
      this.#slots.push(slot);
      if (this.#slots.length >= MAX_IN_FLIGHT) this.#options.socket.pause();
    }
    this.#options.admission.publish(packet.topic, payload).then(
      (verdict) => this.#settled(slot, verdict),
      (error: unknown) => {
        this.#options.onError(error);
        this.#disconnect(REASON.serverUnavailable);
      },
    );
  }

  #settled(slot: Slot | undefined, verdict: Verdict): void {
    // There is no answer to QoS 0: a refused message is lost, and counted.
    if (slot === undefined) return;
    slot.code = codeOf(verdict);
    if (this.#drainPlanned) return;
    this.#drainPlanned = true;
    setImmediate(() => this.#drain());
  }

  /** Sends the acknowledgements that are due, in order, with one write. */
  #drain(): void {
    this.#drainPlanned = false;
    const { socket } = this.#options;
    if (socket.destroyed || this.#refusing) return;
    const out: Buffer[] = [];
    let count = 0;
    for (const { messageId, code } of this.#slots) {
      if (code === undefined) break;
      if (code >= 0x80 && this.#version !== 5) {
        this.#refuse();
        break;
      }
      out.push(this.#puback(messageId, code));
      count += 1;
    }
    this.#slots.splice(0, count);
    if (out.length > 0) socket.write(Buffer.concat(out));
    if (!this.#refusing && this.#slots.length < MAX_IN_FLIGHT / 2 && socket.isPaused()) socket.resume();
  }

  #puback(messageId: number, code: number): Buffer {
    // Four bytes are the whole packet in both versions when the reason is success.
    if (code === 0) return Buffer.from([0x40, 2, messageId >> 8, messageId & 0xff]);
    return generate({ cmd: "puback", messageId, reasonCode: code }, { protocolVersion: 5 });
  }

  /** MQTT 3.1.1 has no negative acknowledgement: reads nothing more, and closes after a while. */
  #refuse(): void {
    this.#refusing = true;
    const { socket } = this.#options;
    socket.setTimeout(0);
    const timer = setTimeout(() => socket.destroy(), HOLD_MS);
    socket.once("close", () => clearTimeout(timer));
  }

  #disconnect(reasonCode: number): void {
    const { socket } = this.#options;
    this.#refusing = true;
    if (this.#version === 5 && socket.writable) {
      socket.end(generate({ cmd: "disconnect", reasonCode }, { protocolVersion: 5 }));
    }
    socket.destroySoon();
  }

  #send(packet: Packet): void {
    const { socket } = this.#options;
    if (socket.writable) socket.write(generate(packet, { protocolVersion: this.#version ?? 4 }));
  }
}

function codeOf(verdict: Verdict): number {
  if (verdict.kind !== "refused") return REASON.success;
  if (verdict.reason === "isolated") return REASON.notAuthorized;
  return REASON.quotaExceeded;
}
