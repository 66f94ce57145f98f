import {
  AckPolicy,
  type Consumer,
  DiscardPolicy,
  type JetStreamClient,
  type JetStreamManager,
  jetstream,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from "@nats-io/jetstream";
import { connect, type NatsConnection, nanos } from "@nats-io/transport-node";

/** How long the engine waits for an acknowledgement before it delivers again, milliseconds. */
export const ACK_WAIT_MS = 5_000;
const CONNECT_TIMEOUT_MS = 5_000;
const MAX_ACK_PENDING = 10_000;

export interface LinkOptions {
  /** `nats://[USER:PASSWORD@]HOST:PORT`, several separated by commas. */
  readonly url: string;
  /** Name of the queue: part of the streams' names and subjects. */
  readonly name: string;
  readonly lanes: readonly string[];
  readonly laneCapacity: number;
  readonly dedupWindowMs: number;
}

/** A connection with the streams and consumers of one queue in place. */
export interface JetStreamLink {
  readonly connection: NatsConnection;
  readonly client: JetStreamClient;
  readonly manager: JetStreamManager;
  readonly consumers: ReadonlyMap<string, Consumer>;
}

export interface Names {
  readonly stream: string;
  readonly dead: string;
  subject(lane: string): string;
  deadSubject(lane: string): string;
}

export function namesOf(queue: string): Names {
  const upper = queue.toUpperCase().replaceAll("-", "_");
  return {
    stream: `HELIUS_${upper}`,
    dead: `HELIUS_${upper}_DEAD`,
    subject: (lane) => `helius.queue.${queue}.${lane}`,
    deadSubject: (lane) => `helius.dead.${queue}.${lane}`,
  };
}

/**
 * Connects once and creates or updates the streams and one durable consumer a lane. The work queue refuses new messages
 * of a lane that is full, and drops repeated message ids within the window. Throws when the server cannot be reached or
 * has no JetStream. Afterwards the connection comes back by itself, with jitter.
 */
export async function openLink(options: LinkOptions): Promise<JetStreamLink> {
  const connection = await connect({
    ...serversOf(options.url),
    name: `helius ${options.name}`,
    timeout: CONNECT_TIMEOUT_MS,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 500,
    reconnectJitter: 1_000,
  });
  try {
    const manager = await jetstreamManager(connection);
    const client = jetstream(connection);
    await prepareStreams(manager, options);
    const consumers = new Map<string, Consumer>();
    for (const lane of options.lanes)
      consumers.set(lane, await prepareConsumer(client, manager, options, lane));
    return { connection, client, manager, consumers };
  } catch (error) {
    await connection.close();
    throw error;
  }
}

async function prepareStreams(manager: JetStreamManager, options: LinkOptions): Promise<void> {
  const names = namesOf(options.name);
  await putStream(manager, {
    name: names.stream,
    subjects: [names.subject("*")],
    retention: RetentionPolicy.Workqueue,
    storage: StorageType.File,
    discard: DiscardPolicy.New,
    discard_new_per_subject: true,
    max_msgs_per_subject: options.laneCapacity,
    duplicate_window: nanos(options.dedupWindowMs),
  });
  await putStream(manager, {
    name: names.dead,
    subjects: [names.deadSubject("*")],
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    discard: DiscardPolicy.Old,
    // By lane, so that a flood of one cannot push out the dead letters of another.
    max_msgs_per_subject: 25_000,
  });
}

async function putStream(manager: JetStreamManager, config: Partial<StreamConfig> & { name: string }) {
  for await (const name of manager.streams.names()) {
    if (name === config.name) {
      await manager.streams.update(config.name, config);
      return;
    }
  }
  await manager.streams.add(config);
}

async function prepareConsumer(
  client: JetStreamClient,
  manager: JetStreamManager,
  options: LinkOptions,
  lane: string,
): Promise<Consumer> {
  const names = namesOf(options.name);
  await manager.consumers.add(names.stream, {
    durable_name: lane,
    filter_subject: names.subject(lane),
    ack_policy: AckPolicy.Explicit,
    ack_wait: nanos(ACK_WAIT_MS),
    max_ack_pending: MAX_ACK_PENDING,
    max_deliver: -1,
  });
  return client.consumers.get(names.stream, lane);
}

function serversOf(text: string): { servers: string[]; user?: string; pass?: string; tls?: object } {
  const urls = text.split(",").map((part) => new URL(part.trim()));
  const first = urls[0];
  const { username = "", password = "" } = first ?? {};
  return {
    servers: urls.map((url) => url.host),
    ...(username === "" ? {} : { user: decodeURIComponent(username), pass: decodeURIComponent(password) }),
    ...(first?.protocol === "tls:" ? { tls: {} } : {}),
  };
}
