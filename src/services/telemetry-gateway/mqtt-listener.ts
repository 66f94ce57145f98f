import { createServer, type Server } from "node:net";
import type { Logger } from "pino";
import { listen } from "../../common/net/listen.ts";
import type { Admission } from "./admission.ts";
import type { GatewayMetrics } from "./metrics.ts";
import { DeviceConnection } from "./mqtt-connection.ts";

/** Devices that may be connected at once. */
const MAX_CONNECTIONS = 20_000;

/** The gateway's own MQTT endpoint (3.1.1 and 5) for devices that publish. It serves no subscribers. */
export class MqttListener {
  readonly #server: Server;
  readonly #open = new Set<DeviceConnection>();
  readonly #byClient = new Map<string, DeviceConnection>();
  #port = 0;

  constructor(options: {
    readonly admission: Admission;
    readonly metrics: GatewayMetrics;
    readonly logger: Logger;
  }) {
    this.#server = createServer((socket) => {
      const connection = new DeviceConnection({
        socket,
        admission: options.admission,
        onConnected: (clientId, fresh) => this.#named(clientId, fresh),
        onError: (error) => options.logger.error({ err: error }, "a device's message could not be handled"),
      });
      this.#open.add(connection);
      options.metrics.connections.set(this.#open.size);
      socket.once("close", () => {
        this.#open.delete(connection);
        const { clientId } = connection;
        if (clientId !== undefined && this.#byClient.get(clientId) === connection)
          this.#byClient.delete(clientId);
        options.metrics.connections.set(this.#open.size);
      });
    });
    this.#server.maxConnections = MAX_CONNECTIONS;
  }

  get port(): number {
    return this.#port;
  }

  /** Throws `ListenError` when the port is taken. */
  async start(host: string, port: number): Promise<void> {
    this.#port = await listen(this.#server, { host, port, settings: "GATEWAY_MQTT_PORT" });
  }

  /** Closes every connection and stops listening. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const connection of [...this.#open]) connection.shutDown();
    await closed;
  }

  /** One connection a client id [MQTT-3.1.4-2]. */
  #named(clientId: string, fresh: DeviceConnection): void {
    this.#byClient.get(clientId)?.takeOver();
    this.#byClient.set(clientId, fresh);
  }
}
