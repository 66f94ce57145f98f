import type { Row } from "../kit/layout.ts";
import { type Sized, stateTimeline, timeSeries } from "../kit/panels.ts";
import { prom } from "../kit/queries.ts";
import { BLUE, DASH_DOT, DASHED, DOTTED, GREEN, GREY, line, ORANGE, PURPLE, RED } from "../kit/styles.ts";

const HOW_TO_READ =
  "Solid: what is. Dashed: what the deciding predictor expects at the horizon (180 s ahead by default), drawn at the time it said so. " +
  "Shaded: 90 % interval of the trend predictor. Dotted grey: the linear predictor. Dash-dot: SLO (orange) and hard limit (red).";

/** One signal of one target: observed, expected, how sure, against what. */
function signal(options: {
  readonly signal: string;
  readonly title: string;
  readonly unit: string;
  readonly logFrom?: number;
}): Sized {
  const { signal: name, title, unit, logFrom } = options;
  const of = `target=~"$target",signal="${name}"`;
  return timeSeries({
    title: `${title}: $target`,
    description: HOW_TO_READ,
    unit,
    ...(logFrom === undefined ? {} : { logFrom }),
    queries: [
      prom(`max by (target) (predict_observed{${of}})`, "observed"),
      prom(`max by (target) (predict_forecast{${of}})`, "forecast"),
      prom(`max by (target) (predict_forecast_high{${of},predictor="trend"})`, "interval, high"),
      prom(`max by (target) (predict_forecast_low{${of},predictor="trend"})`, "interval, low"),
      prom(`max by (target) (predict_predictor_forecast{${of},predictor="linear"})`, "linear predictor"),
      prom(`max by (target) (predict_slo{${of}})`, "SLO"),
      prom(`max by (target) (predict_hard_limit{${of}})`, "hard limit"),
    ],
    lines: {
      observed: line({ color: BLUE, width: 2 }),
      forecast: line({ color: PURPLE, dash: DASHED, width: 2 }),
      "interval, high": line({ color: PURPLE, dash: DOTTED, fillTo: "interval, low" }),
      "interval, low": line({ color: PURPLE, dash: DOTTED }),
      "linear predictor": line({ color: GREY, dash: DOTTED }),
      SLO: line({ color: ORANGE, dash: DASH_DOT, width: 2 }),
      "hard limit": line({ color: RED, dash: DASH_DOT, width: 2 }),
    },
    size: [12, 9],
  });
}

/** Repeated for each chosen target. */
export const forecast: readonly Row[] = [
  {
    number: 3,
    title: "Forecast: $target",
    repeat: "target",
    panels: [
      signal({ signal: "p95_latency", title: "P95 latency", unit: "ms", logFrom: 10 }),
      signal({ signal: "error_rate", title: "Error ratio", unit: "percentunit" }),
      signal({ signal: "memory", title: "Memory", unit: "bytes" }),
      signal({ signal: "backlog", title: "Backlog", unit: "short", logFrom: 10 }),
    ],
  },
  {
    number: 4,
    title: "Risk",
    panels: [
      stateTimeline({
        title: "Risk state",
        description:
          "In risk from the cycle in which the forecast passes the SLO until it is below the exit threshold (hysteresis).",
        queries: [
          prom(
            `max by (target, signal) (predict_in_risk_state{target=~"$target",signal=~"$signal"})`,
            "{{target}} {{signal}}",
          ),
        ],
        states: { 0: ["calm", GREEN], 1: ["AT RISK", ORANGE] },
        size: [12, 9],
      }),
      stateTimeline({
        title: "Cooldown",
        description:
          "After a mitigation a target is left alone for its cooldown, whatever the forecasts say.",
        queries: [prom(`max by (target) (predict_cooldown_active{target=~"$target"})`, "{{target}}")],
        states: { 0: ["free", GREEN], 1: ["cooldown", PURPLE] },
        size: [12, 9],
      }),
      timeSeries({
        title: "Probability",
        description:
          "Probability that the deciding predictor gives. The linear predictor confirms above 0.3 and acts at once above 0.6 (dashed); the trend predictor has a threshold of its own.",
        queries: [
          prom(
            `max by (target, signal) (predict_probability{target=~"$target",signal=~"$signal"})`,
            "{{target}} {{signal}}",
          ),
        ],
        unit: "percentunit",
        min: 0,
        max: 1,
        marks: [
          [0.3, ORANGE],
          [0.6, RED],
        ],
        size: [12, 8],
      }),
      timeSeries({
        title: "Fit of the line (R²)",
        description:
          "How well the linear predictor' line fits its window; below 0.2 (dashed) it triggers nothing.",
        queries: [
          prom(
            `max by (target, signal) (predict_r2{target=~"$target",signal=~"$signal"})`,
            "{{target}} {{signal}}",
          ),
        ],
        unit: "percentunit",
        min: 0,
        max: 1,
        marks: [[0.2, ORANGE]],
        size: [12, 8],
      }),
    ],
  },
];
