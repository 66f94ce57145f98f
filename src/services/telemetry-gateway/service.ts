import { join } from "node:path";
import type { ServiceDefinition, StartOptions } from "../kit/definition.ts";
import type { Routes } from "../kit/routes.ts";
import { type RunningService, type ServiceContext, startService } from "../kit/service.ts";
import { JetStreamQueue } from "../queue/jetstream-queue.ts";
import { SqliteQueue } from "../queue/sqlite-queue.ts";
import type { DurableQueue } from "../queue/types.ts";
import { Admission } from "./admission.ts";
import { RegionBreaker } from "./breaker.ts";
import { Consumer } from "./consumer.ts";
import { RegionControls } from "./controls.ts";
import { DownstreamFault } from "./downstream-fault.ts";
import { registerDeadLetters, registerIngest } from "./http-routes.ts";
import { GatewayMetrics } from "./metrics.ts";
import { type Controlled, gatewayMitigations } from "./mitigations.ts";
import { MqttListener } from "./mqtt-listener.ts";
import { MqttSubscriber } from "./mqtt-subscriber.ts";
import { REGIONS, UNROUTED } from "./regions.ts";
import { type GatewaySettings, readGatewaySettings } from "./settings.ts";
import { TelemetryStore } from "./store.ts";

/** How often the consumer runs, milliseconds. */
const CONSUME_MS = 20;
/** How often old telemetry is taken away, milliseconds. */
const EXPIRE_MS = 1_000;
/** How long the consumer rests after an error of the buffer, milliseconds. */
const REST_MS = 1_000;
const MAX_BREAKER_PAUSE_FACTOR = 12;

/** The edge gateway: telemetry over MQTT and HTTP, a durable buffer, and delivery at a sustainable rate. */
export const telemetryGateway: ServiceDefinition = {
  name: "telemetry-gateway",
  job: "telemetry-gateway",
  defaultPort: 8005,
  summary: "edge telemetry over MQTT and HTTP, buffered durably and delivered once in effect",
  start: startTelemetryGateway,
};

async function startTelemetryGateway(options: StartOptions): Promise<RunningService> {
  const settings = readGatewaySettings(options.env);
  const fault = new DownstreamFault();
  let parts: Controlled | undefined;
  return startService({
    ...options,
    name: telemetryGateway.name,
    extraFaults: [fault],
    extraMitigations: gatewayMitigations(() => {
      if (parts === undefined) throw new TypeError("the gateway has not started");
      return parts;
    }),
    routes: async (app, ctx) => {
      parts = await assemble({ app, ctx, settings, fault, options });
    },
  });
}

interface AssemblyInput {
  readonly app: Routes;
  readonly ctx: ServiceContext;
  readonly settings: GatewaySettings;
  readonly fault: DownstreamFault;
  readonly options: StartOptions;
}

async function assemble(input: AssemblyInput): Promise<Controlled> {
  const { app, ctx, settings } = input;
  const metrics = new GatewayMetrics(ctx.registry);
  const controls = new RegionControls({
    file: join(ctx.dataDir, "controls.sqlite"),
    clock: ctx.clock,
    defaultPerSecond: settings.rateLimit,
    onQuarantine: setAside(ctx, "region controls"),
  });
  ctx.onClose(() => controls.close());
  const queue = await openQueue(ctx, settings);
  ctx.onClose(() => queue.close());
  startConsumer(input, queue, controls, metrics);
  const admission = new Admission({ queue, controls, metrics });
  registerIngest(app, admission, metrics);
  registerDeadLetters(app, { queue, requireAdmin: ctx.requireAdmin });
  const mqtt = await startMqtt(input, admission, metrics);
  app.get("/", (_request, response) => {
    response.json({
      service: ctx.name,
      version: ctx.version,
      ...mqtt(),
      buffer: settings.natsUrl === undefined ? "embedded" : "nats",
      regions: Object.fromEntries(
        REGIONS.map((region) => [
          region,
          {
            queue_depth: queue.depth(region),
            rate_limit: controls.rateLimit(region),
            isolated_seconds: Math.ceil(controls.isolatedSeconds(region)),
          },
        ]),
      ),
      routes: ["POST /telemetry", "GET /dead-letters"],
    });
  });
  ctx.addHealth(() => ({
    buffer: settings.natsUrl === undefined ? "embedded" : "nats",
    queue_depth: REGIONS.reduce((sum, region) => sum + queue.depth(region), 0),
    ...mqtt(),
  }));
  return { queue, controls };
}

async function openQueue(ctx: ServiceContext, settings: GatewaySettings): Promise<DurableQueue> {
  const lanes = [...REGIONS, UNROUTED];
  if (settings.natsUrl !== undefined) {
    return JetStreamQueue.open({
      url: settings.natsUrl,
      name: "telemetry",
      lanes,
      laneCapacity: settings.capacity,
      dedupWindowMs: settings.dedupWindowMs,
      logger: ctx.logger,
    });
  }
  return new SqliteQueue({
    file: join(ctx.dataDir, "buffer.sqlite"),
    lanes,
    laneCapacity: settings.capacity,
    dedupWindowMs: settings.dedupWindowMs,
    nowMs: () => ctx.clock.wallMs(),
    onQuarantine: setAside(ctx, "telemetry buffer"),
    onDeadDropped: (count) => ctx.logger.error({ count }, "oldest dead letters dropped for want of room"),
  });
}

function startConsumer(
  input: AssemblyInput,
  queue: DurableQueue,
  controls: RegionControls,
  metrics: GatewayMetrics,
): void {
  const { ctx, settings, fault } = input;
  const store = new TelemetryStore({
    directory: ctx.dataDir,
    retentionMs: settings.retentionMs,
    nowMs: ctx.clock.wallMs(),
    onQuarantine: setAside(ctx, "telemetry store"),
  });
  ctx.onClose(() => store.close());
  const breakers = new Map(
    REGIONS.map((region) => [
      region,
      new RegionBreaker({
        pauseMs: settings.breakerPauseMs,
        maxPauseMs: settings.breakerPauseMs * MAX_BREAKER_PAUSE_FACTOR,
        onChange: (from, to) => ctx.logger.warn({ region, from, to }, "telemetry circuit breaker changed"),
      }),
    ]),
  );
  // Makes the kit offer the `backlog` fault; the gauge is replaced by the one with regions.
  ctx.addQueue({ name: "telemetry", depth: () => 0 });
  metrics.watch({ queue, controls, breakers });
  const consumer = new Consumer({
    queue,
    sink: store,
    breakers,
    fault,
    metrics,
    clock: ctx.clock,
    logger: ctx.logger,
    random: Math.random,
    ratePerSecond: settings.consumeRate,
    slowdown: () => ctx.backlogFactor(),
    retryBaseMs: settings.retryBaseMs,
  });
  let running = Promise.resolve();
  let resumeMs = 0;
  const timer = setInterval(() => {
    if (ctx.clock.monoMs() < resumeMs) return;
    running = consumer.tick().catch((error: unknown) => {
      resumeMs = ctx.clock.monoMs() + REST_MS;
      ctx.logger.error({ err: error }, "telemetry could not be delivered");
    });
  }, CONSUME_MS);
  const expiry = setInterval(() => {
    try {
      store.expire(ctx.clock.wallMs());
    } catch (error) {
      ctx.logger.error({ err: error }, "old telemetry could not be removed");
    }
  }, EXPIRE_MS);
  ctx.onClose(async () => {
    clearInterval(timer);
    clearInterval(expiry);
    await running;
  });
}

/** Answers what to show of it. */
async function startMqtt(
  input: AssemblyInput,
  admission: Admission,
  metrics: GatewayMetrics,
): Promise<() => Readonly<Record<string, unknown>>> {
  const { ctx, settings, options } = input;
  if (settings.mqttUrl !== undefined) {
    const subscriber = new MqttSubscriber({
      url: settings.mqttUrl,
      clientId: settings.mqttClientId,
      admission,
      metrics,
      logger: ctx.logger,
      random: Math.random,
    });
    ctx.onClose(() => subscriber.close());
    return () => ({ mqtt: "broker", mqtt_regions_subscribed: subscriber.ready });
  }
  const listener = new MqttListener({ admission, metrics, logger: ctx.logger });
  await listener.start(options.host ?? "0.0.0.0", settings.mqttPort);
  ctx.onClose(() => listener.close());
  ctx.logger.info({ port: listener.port }, "MQTT listener started");
  return () => ({ mqtt: "embedded", mqtt_port: listener.port });
}

function setAside(ctx: ServiceContext, what: string): (file: string, reason: string) => void {
  return (file, reason) =>
    ctx.logger.error({ what, set_aside: file, reason }, "damaged file set aside, starting with an empty one");
}
