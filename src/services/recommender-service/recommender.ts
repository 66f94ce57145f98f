import { join } from "node:path";
import { Agent } from "undici";
import type { ServiceContext } from "../kit/service.ts";
import type { DriftFault } from "./drift.ts";
import { Engine } from "./engine.ts";
import { LiveStream } from "./live-stream.ts";
import { RecommenderMetrics, watchEngine } from "./metrics.ts";
import { MlflowClient } from "./mlflow/client.ts";
import { RegistryWatch } from "./mlflow/registry-watch.ts";
import { fingerprint } from "./model/artifact.ts";
import { TRAINING } from "./model/build.ts";
import { openShop } from "./model/shop.ts";
import type { RecommenderSettings, RegistrySettings } from "./settings.ts";
import { ModelCache } from "./state/model-cache.ts";
import { TimedHold } from "./state/timed-hold.ts";
import { TrainingJob } from "./training-job.ts";

/** How often the ends of holds are noticed, milliseconds. */
const TICK_MS = 500;

/** The parts of a running recommender. */
export interface Recommender {
  readonly engine: Engine;
  readonly forcedFallback: TimedHold;
  readonly streamPause: TimedHold;
  /** Starts a training in the background, unless one is running. */
  retrain(): Readonly<Record<string, unknown>>;
  /** Fields of `/health`. */
  health(): Readonly<Record<string, unknown>>;
}

/** Loads what is on disk, then follows the registry. Everything is stopped with the service. */
export function openRecommender(
  ctx: ServiceContext,
  settings: RecommenderSettings,
  drift: DriftFault,
): Recommender {
  const { clock, logger } = ctx;
  const hold = (name: string) => new TimedHold({ file: join(ctx.dataDir, name), clock, logger });
  const [forcedFallback, streamPause] = [hold("forced-fallback.hold"), hold("stream-pause.hold")];
  const stream = new LiveStream();
  const metrics = new RecommenderMetrics(ctx.registry);
  let watch: RegistryWatch | undefined;
  const engine = new Engine({
    shop: openShop(),
    cache: new ModelCache(join(ctx.dataDir, "last-good.model")),
    forcedFallback,
    streamPause,
    stream,
    drift,
    metrics,
    logger,
    clock,
    registryConnected: () => watch?.connected ?? false,
  });
  engine.loadFromDisk();
  if (settings.registry !== undefined) watch = followRegistry(ctx, settings.registry, engine, metrics);
  const job = new TrainingJob({
    logger,
    onModel: (model) => engine.adopt(model),
    onOutcome: (outcome) => metrics.retrained(outcome),
  });
  const retrain = () => {
    const live = stream.baskets();
    const input = { users: TRAINING.users, seed: TRAINING.seed, live, wallMs: clock.wallMs() };
    const started = job.start(input, {
      supersedes: watch?.version ?? null,
      current: engine.loaded?.body.quality,
    });
    return { retraining: true, started, live_baskets: live.length };
  };
  ctx.onClose(() => job.stop());
  if (settings.trainOnStart && watch === undefined && engine.diskEmpty) retrain();
  announceEnds(ctx, { forcedFallback, streamPause });
  const fallback = () => ["static", "disk"].includes(engine.serving().mode);
  watchEngine(ctx.registry, {
    inFallback: fallback,
    staticActive: () => engine.serving().mode === "static",
    divergence: () => engine.divergence(),
    mlflowConnected: () => watch?.connected,
    streamPaused: () => streamPause.active,
    streamBaskets: () => stream.baskets().length,
  });
  const health = () => ({
    mlflow_connected: watch?.connected ?? false,
    model_version: engine.serving().version,
    mode: engine.serving().mode,
    fallback: fallback(),
    forced_fallback_seconds: Math.ceil(forcedFallback.remainingSeconds()),
    stream_paused_seconds: Math.ceil(streamPause.remainingSeconds()),
    retraining: job.running,
    model_problem: watch?.problem ?? engine.diskProblem ?? null,
  });
  return { engine, forcedFallback, streamPause, retrain, health };
}

function followRegistry(
  ctx: ServiceContext,
  settings: RegistrySettings,
  engine: Engine,
  metrics: RecommenderMetrics,
): RegistryWatch {
  const dispatcher = new Agent({ connect: { timeout: settings.deadlineMs }, connections: 4 });
  const client = new MlflowClient({
    trackingUri: settings.trackingUri,
    dispatcher,
    deadlineMs: settings.deadlineMs,
  });
  const watch = new RegistryWatch({
    client,
    reference: settings.reference,
    pollMs: settings.pollMs,
    logger: ctx.logger,
    wants: (version, sha256) => engine.wants(version) || changed(engine, version, sha256),
    onModel: (model) => engine.adopt(model),
    onOutcome: (outcome) => metrics.loaded("mlflow", outcome),
  });
  ctx.onClose(async () => {
    await watch.stop();
    await dispatcher.destroy();
  });
  watch.start();
  return watch;
}

/** A registry can be set up anew and count from 1 again: the same name, another model. */
function changed(engine: Engine, version: string, sha256: string | undefined): boolean {
  const { loaded } = engine;
  return sha256 !== undefined && loaded?.version === version && fingerprint(loaded.artifact) !== sha256;
}

function announceEnds(
  ctx: ServiceContext,
  holds: { readonly forcedFallback: TimedHold; readonly streamPause: TimedHold },
): void {
  const timer = setInterval(() => {
    if (holds.forcedFallback.ended()) ctx.logger.info({}, "forced fallback ended");
    if (holds.streamPause.ended()) ctx.logger.info({}, "stream pause ended");
  }, TICK_MS);
  timer.unref();
  ctx.onClose(() => clearInterval(timer));
}
