import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { ServingMode } from "./answer.ts";

/** What the gauges show, asked at each scrape. */
export interface EngineState {
  /** Not served by the registry's present model, nor by one trained here since. */
  inFallback(): boolean;
  staticActive(): boolean;
  /** Undefined: too few explained answers to tell. */
  divergence(): number | undefined;
  /** Undefined: there is no registry. */
  mlflowConnected(): boolean | undefined;
  streamPaused(): boolean;
  streamBaskets(): number;
}

export type LoadSource = "mlflow" | "disk";
export type LoadOutcome = "loaded" | "rejected" | "unreachable" | "quarantined" | "unreadable";
export type RetrainingOutcome = "swapped" | "rejected" | "failed";

const BUCKETS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1];

/** Metrics of the recommender. A gauge whose value is unknown has no sample. */
export class RecommenderMetrics {
  readonly #requests: Counter<"mode">;
  readonly #latency: Histogram;
  readonly #unknown: Counter;
  readonly #judged: Counter;
  readonly #invalid: Counter;
  readonly #loads: Counter<"source" | "outcome">;
  readonly #retrainings: Counter<"outcome">;

  constructor(registry: Registry) {
    const registers = [registry];
    const counter = <L extends string>(name: string, help: string, labelNames: L[] = []) =>
      new Counter<L>({ name, help, labelNames, registers });
    this.#requests = counter("reco_engine_requests_total", "Recommendations answered, by who answered.", [
      "mode",
    ]);
    this.#latency = new Histogram({
      name: "reco_engine_requests_latency_seconds",
      help: "Time the engine takes for a recommendation.",
      buckets: BUCKETS,
      registers,
    });
    this.#unknown = counter(
      "reco_engine_unknown_products_total",
      "Products of histories that were not known.",
    );
    this.#judged = counter("model_requests_total", "Answers of the model that were checked.");
    this.#invalid = counter("model_invalid_outputs_total", "Answers of the model that break their schema.");
    this.#loads = counter("reco_engine_model_loads_total", "Attempts to load a model.", [
      "source",
      "outcome",
    ]);
    this.#retrainings = counter("reco_engine_retrainings_total", "Trainings that ended.", ["outcome"]);
  }

  answered(answer: {
    readonly mode: ServingMode;
    readonly seconds: number;
    readonly unknownProducts: number;
    readonly valid: boolean;
  }): void {
    this.#requests.inc({ mode: answer.mode });
    this.#latency.observe(answer.seconds);
    this.#unknown.inc(answer.unknownProducts);
    this.#judged.inc();
    if (!answer.valid) this.#invalid.inc();
  }

  loaded(source: LoadSource, outcome: LoadOutcome): void {
    this.#loads.inc({ source, outcome });
  }

  retrained(outcome: RetrainingOutcome): void {
    this.#retrainings.inc({ outcome });
  }
}

/** Registers the gauges of a running engine. */
export function watchEngine(registry: Registry, state: EngineState): void {
  const gauge = (name: string, help: string, value: () => number | boolean | undefined) =>
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        const present = value();
        if (present === undefined) this.remove();
        else this.set(Number(present));
      },
    });
  gauge(
    "reco_engine_in_fallback_mode",
    "1 while neither the registry's model nor one trained here answers.",
    () => state.inFallback(),
  );
  gauge("reco_engine_mode_static_active", "1 while the static list answers.", () => state.staticActive());
  gauge(
    "reco_engine_xai_divergence",
    "Distance of the explanations from those of the training, 0 to 1; no sample while there are too few answers.",
    () => state.divergence(),
  );
  gauge("reco_engine_mlflow_connected", "1 while the registry answers; no sample without a registry.", () =>
    state.mlflowConnected(),
  );
  gauge("reco_engine_stream_paused", "1 while nothing is learned from live data.", () =>
    state.streamPaused(),
  );
  gauge("reco_engine_stream_baskets", "Live baskets that the next training learns from.", () =>
    state.streamBaskets(),
  );
}
