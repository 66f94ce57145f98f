import type { Row } from "../kit/layout.ts";
import { barGauge, stat, stateTimeline, timeSeries } from "../kit/panels.ts";
import { prom, promNow } from "../kit/queries.ts";
import { DASHED, GREEN, ORANGE, RED } from "../kit/styles.ts";
import { BREAKER_STATES, breakerState } from "./gateway.ts";

const dashedLine = [{ id: "custom.lineStyle", value: { fill: "dash", dash: [...DASHED] } }];

const recommender: Row = {
  number: 4,
  title: "Recommender",
  panels: [
    stateTimeline({
      title: "Fallback modes",
      description:
        "Fallback: neither the registry's model nor one trained here answers. Static: the list built in answers. Stream: whether live data is learned from. MLflow: whether the registry answers.",
      queries: [
        prom(`max(reco_engine_in_fallback_mode)`, "fallback"),
        prom(`max(reco_engine_mode_static_active)`, "static list"),
        prom(`max(reco_engine_stream_paused)`, "stream paused"),
        prom(`1 - max(reco_engine_mlflow_connected)`, "MLflow away"),
      ],
      states: { 0: ["no", GREEN], 1: ["YES", ORANGE] },
      size: [12, 8],
    }),
    timeSeries({
      title: "Divergence of the explanations (XAI)",
      description:
        "Distance of the explanations from those of the training, 0 to 1. XaiDivergenceHigh fires above 0.3 (dashed): pause the stream, train anew.",
      queries: [prom(`max(reco_engine_xai_divergence)`, "divergence")],
      unit: "percentunit",
      min: 0,
      max: 1,
      marks: [[0.3, RED]],
      size: [12, 8],
    }),
    timeSeries({
      title: "Recommendations by who answered",
      description:
        "mlflow: the registry's model; disk: the last good one; trained: one trained here; static: the list built in.",
      queries: [prom(`sum by (mode) (rate(reco_engine_requests_total[$__rate_interval]))`, "{{mode}}")],
      unit: "reqps",
      draw: "bars",
      size: [8, 8],
    }),
    timeSeries({
      title: "Time of the engine",
      description: "Median and 95th percentile (dashed) of the time that a recommendation takes.",
      queries: [
        prom(
          `histogram_quantile(0.5, sum by (le) (rate(reco_engine_requests_latency_seconds_bucket[$__rate_interval]))) >= 0`,
          "median",
        ),
        prom(
          `histogram_quantile(0.95, sum by (le) (rate(reco_engine_requests_latency_seconds_bucket[$__rate_interval]))) >= 0`,
          "p95",
        ),
      ],
      unit: "s",
      lines: { p95: dashedLine },
      size: [8, 8],
    }),
    barGauge({
      title: "Models loaded and trained",
      description:
        "Since the start: attempts to load a model by source and outcome, and trainings that ended.",
      queries: [
        promNow(
          `sum by (source, outcome) (reco_engine_model_loads_total)`,
          "load from {{source}}: {{outcome}}",
        ),
        promNow(`sum by (outcome) (reco_engine_retrainings_total)`, "training: {{outcome}}"),
      ],
      unit: "short",
      decimals: 0,
      noValue: "none yet",
      size: [8, 8],
    }),
  ],
};

const outputs: Row = {
  number: 5,
  title: "Model outputs",
  panels: [
    timeSeries({
      title: "Invalid outputs",
      description:
        "Share of answers that break their schema, over five minutes: of the recommender's own and of the assistants'. HighInvalidModelOutputs fires above 5 % (dashed).",
      queries: [
        prom(
          `sum by (job) (rate(model_invalid_outputs_total[5m])) / (sum by (job) (rate(model_requests_total[5m])) > 0)`,
          "{{job}}",
        ),
      ],
      unit: "percentunit",
      marks: [[0.05, RED]],
      size: [12, 8],
    }),
    timeSeries({
      title: "Why outputs were refused",
      description: "Outputs of the assistants that were no decision, by reason.",
      queries: [
        prom(
          `sum by (assistant, reason) (rate(model_invalid_outputs_total{job="llm-router"}[$__rate_interval]))`,
          "{{assistant}}: {{reason}}",
        ),
      ],
      unit: "cps",
      draw: "bars",
      size: [12, 8],
    }),
  ],
};

const router: Row = {
  number: 6,
  title: "LLM router",
  panels: [
    timeSeries({
      title: "Decisions by source",
      description:
        "fallback: neither assistant gave a decision, and the safe answer with confidence 0.0 was given.",
      queries: [prom(`sum by (source) (rate(llm_router_decisions_total[$__rate_interval]))`, "{{source}}")],
      unit: "reqps",
      draw: "bars",
      size: [8, 8],
    }),
    stateTimeline({
      title: "Circuit by assistant",
      description: "Open: too many of the last calls failed, and the assistant is not asked.",
      queries: [prom(breakerState("llm_router_circuit_state", "assistant"), "{{assistant}}")],
      states: BREAKER_STATES,
      size: [8, 8],
    }),
    timeSeries({
      title: "Time of a call",
      description: "95th percentile of the time that an assistant takes; a call is given up after 5 s.",
      queries: [
        prom(
          `histogram_quantile(0.95, sum by (assistant, le) (rate(model_request_duration_seconds_bucket[$__rate_interval]))) >= 0`,
          "{{assistant}}",
        ),
      ],
      unit: "s",
      size: [8, 8],
    }),
    timeSeries({
      title: "Queues of orders and jobs",
      description: "Orders of product-api and jobs of the router that wait.",
      queries: [prom(`sum by (job, queue) (queue_depth{job!="telemetry-gateway"})`, "{{job}}: {{queue}}")],
      unit: "short",
      size: [8, 8],
    }),
    timeSeries({
      title: "Jobs",
      description: "Jobs by how they ended, and attempts that failed (dashed).",
      queries: [
        prom(`sum by (state) (increase(llm_router_jobs_ended_total[$__rate_interval]))`, "{{state}}"),
        prom(
          `sum by (outcome) (increase(llm_router_job_attempts_total{outcome!="decided"}[$__rate_interval]))`,
          "attempt: {{outcome}}",
        ),
      ],
      unit: "short",
      lines: { "/^attempt/": dashedLine },
      size: [8, 8],
    }),
    stat({
      title: "Dead letters of jobs",
      description: "Jobs given up after five attempts; they are kept and can be replayed.",
      queries: [promNow(`sum(llm_router_dead_letters)`, "kept")],
      unit: "short",
      decimals: 0,
      noValue: "unknown",
      redFrom: 1,
      size: [4, 8],
    }),
    stat({
      title: "WebSocket clients",
      description: "Clients that wait for results.",
      queries: [promNow(`sum(llm_router_websocket_connections)`, "connected")],
      unit: "short",
      decimals: 0,
      noValue: "unknown",
      size: [4, 8],
    }),
  ],
};

export const models: readonly Row[] = [recommender, outputs, router];
