import type { Logger } from "pino";
import type { ServiceClock } from "../kit/clock.ts";
import { answerProblem, type PredictAnswer, type ServingMode } from "./answer.ts";
import type { DriftFault } from "./drift.ts";
import type { LiveStream } from "./live-stream.ts";
import type { RecommenderMetrics } from "./metrics.ts";
import { AttributionMonitor } from "./model/attribution.ts";
import { ItemModel } from "./model/item-model.ts";
import { SHOP, type Shop } from "./model/shop.ts";
import { recommendStatic, STATIC_VERSION } from "./model/static-model.ts";
import type { LoadedModel, ModelCache } from "./state/model-cache.ts";
import type { TimedHold } from "./state/timed-hold.ts";

export interface EngineOptions {
  readonly shop: Shop;
  readonly cache: ModelCache;
  readonly forcedFallback: TimedHold;
  readonly streamPause: TimedHold;
  readonly stream: LiveStream;
  readonly drift: DriftFault;
  readonly metrics: RecommenderMetrics;
  readonly logger: Logger;
  readonly clock: ServiceClock;
  /** Whether the registry answers now. */
  readonly registryConnected: () => boolean;
}

/** Who would answer now. */
export interface Serving {
  readonly mode: ServingMode;
  readonly version: string;
  /** Undefined: the static list. */
  readonly model: ItemModel | undefined;
}

/** Answers recommendations from the best model at hand, and never without an answer. */
export class Engine {
  readonly #options: EngineOptions;
  readonly #attributions: AttributionMonitor;
  #current: { readonly loaded: LoadedModel; readonly model: ItemModel } | undefined;
  #diskProblem: string | undefined;
  #diskEmpty = false;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#attributions = new AttributionMonitor(options.shop, options.clock);
  }

  /** The model in use or, under a forced fallback, the one that will be. */
  get loaded(): LoadedModel | undefined {
    return this.#current?.loaded;
  }

  /** What was wrong with the model on disk at the start; undefined when nothing was. */
  get diskProblem(): string | undefined {
    return this.#diskProblem;
  }

  /** There was no model on disk at the start. */
  get diskEmpty(): boolean {
    return this.#diskEmpty;
  }

  serving(): Serving {
    const current = this.#current;
    if (current === undefined || this.#options.forcedFallback.active) {
      return { mode: "static", version: STATIC_VERSION, model: undefined };
    }
    return {
      mode: this.#modeOf(current.loaded),
      version: current.loaded.version,
      model: current.model,
    };
  }

  /** Distance of the live explanations from the training's; undefined while it cannot be told. */
  divergence(): number | undefined {
    return this.#attributions.divergence();
  }

  /** Takes the last good model from disk, if there is a sound one. */
  loadFromDisk(): void {
    const { cache, clock, logger, metrics } = this.#options;
    const content = cache.load(clock.wallMs());
    if (content.status === "absent") {
      this.#diskEmpty = true;
      return;
    }
    metrics.loaded("disk", content.status);
    if (content.status === "loaded") {
      this.#use(content.model, "disk");
      return;
    }
    this.#diskProblem = content.reason;
    if (content.status === "unreadable") {
      logger.error({ reason: content.reason }, "model cache cannot be read");
      return;
    }
    logger.error({ set_aside: content.setAside, reason: content.reason }, "damaged model cache set aside");
  }

  /** Whether the registry's version is another model than the one in use, or than the one that replaced it. */
  wants(version: string): boolean {
    const loaded = this.loaded;
    if (loaded === undefined) return true;
    return loaded.origin === "registry" ? loaded.version !== version : loaded.supersedes !== version;
  }

  /** Takes a model into use between two answers, and keeps it on disk. */
  adopt(loaded: LoadedModel): void {
    this.#use(loaded, loaded.origin === "registry" ? "mlflow" : "training");
    try {
      this.#options.cache.save(loaded);
      this.#diskProblem = undefined;
    } catch (error) {
      this.#diskProblem = (error as Error).message;
      this.#options.logger.error({ err: error }, "model cache cannot be written");
    }
  }

  /**
   * The `k` best products for a history. The answer is checked and counted, and handed out as the model gave it: hiding
   * a bad model would leave the loop that heals it blind.
   */
  predict(input: { readonly history: readonly number[]; readonly k: number }): unknown {
    const { clock, drift, stream, streamPause, metrics, logger } = this.#options;
    const startMs = clock.monoMs();
    const serving = this.serving();
    const knows = (id: number) => serving.model?.knows(id) ?? this.#options.shop.categoryOf(id) !== undefined;
    const known = [...new Set(input.history)].filter(knows);
    const unknown = [...new Set(input.history)].filter((id) => !knows(id));
    const garbled = drift.strikes(startMs);
    stream.offer(garbled ? drift.garble(known, SHOP.size) : known, streamPause.active);
    const sound: PredictAnswer = {
      items: (serving.model?.recommend(known, input.k) ?? recommendStatic(known, input.k)).map(mutable),
      model_version: serving.version,
      mode: serving.mode,
      unknown_products: unknown,
    };
    // The static list takes no inputs that could be garbled.
    const answer = garbled && serving.model !== undefined ? drift.spoil(sound) : sound;
    if (serving.model !== undefined) this.#attributions.observe((answer as { items: unknown }).items);
    const problem = answerProblem(answer);
    if (problem !== undefined) logger.debug({ reason: problem }, "invalid model output");
    metrics.answered({
      mode: serving.mode,
      seconds: (clock.monoMs() - startMs) / 1_000,
      unknownProducts: unknown.length,
      valid: problem === undefined,
    });
    return answer;
  }

  #use(loaded: LoadedModel, source: "mlflow" | "disk" | "training"): void {
    this.#current = { loaded, model: new ItemModel(loaded.body.items) };
    this.#attributions.compareWith(loaded.body.attribution_baseline);
    this.#options.logger.info(
      { version: loaded.version, source, trained_at: loaded.body.trained_at, ...loaded.body.quality },
      "model in use",
    );
  }

  #modeOf(loaded: LoadedModel): ServingMode {
    if (loaded.origin === "trained") return "trained";
    return this.#options.registryConnected() ? "mlflow" : "disk";
  }
}

function mutable(item: {
  id: number;
  score: number;
  because: readonly unknown[];
}): PredictAnswer["items"][number] {
  return { ...item, because: [...item.because] as PredictAnswer["items"][number]["because"] };
}
