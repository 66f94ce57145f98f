import type { Row } from "../kit/layout.ts";
import { barGauge, comparedBars, stateTimeline, timeSeries } from "../kit/panels.ts";
import { prom, promNow, promTable } from "../kit/queries.ts";
import { DASHED, GREEN, GREY, line, ORANGE } from "../kit/styles.ts";

const OF = `signal=~"$signal"`;

const dashedLine = [{ id: "custom.lineStyle", value: { fill: "dash", dash: [...DASHED] } }];

/** Mean over predictors and signals, each weighing as much as it has forecasts. */
const byDecile = (metric: string) =>
  `sum by (decile) (${metric}{${OF}} * predict_calibration_forecasts{${OF}}) / (sum by (decile) (predict_calibration_forecasts{${OF}} and ${metric}{${OF}}) > 0)`;

export const quality: readonly Row[] = [
  {
    number: 6,
    title: "How good the forecasts are",
    panels: [
      timeSeries({
        title: "Lead time",
        description:
          "How long before the SLO was passed an alarm came: mean and median of the last 64 true alarms.",
        queries: [prom(`predict_alarm_lead_seconds{${OF}}`, "{{predictor}} {{signal}} {{statistic}}")],
        unit: "s",
        lines: { "/median$/": dashedLine },
        size: [8, 8],
      }),
      comparedBars({
        title: "Calibration",
        description:
          "Forecasts by the probability they said, in tenths: what they said beside how often it came true. Equal heights are right; bars of `seen` that are lower are false alarms.",
        queries: [
          promTable(byDecile("predict_calibration_forecast_mean")),
          promTable(byDecile("predict_calibration_observed_ratio")),
        ],
        by: "decile",
        names: ["said", "seen"],
        unit: "percentunit",
        max: 1,
        size: [8, 8],
      }),
      barGauge({
        title: "Alarms and breaches",
        description:
          "Since the start: alarms that came true, that did not, that came late, and that cannot be judged because a mitigation came between; breaches by whether they had been announced.",
        queries: [
          promNow(`sum by (fate) (predict_alarms{${OF}})`, "alarm: {{fate}}"),
          promNow(`sum by (fate) (predict_breaches{${OF}})`, "breach: {{fate}}"),
        ],
        unit: "short",
        decimals: 0,
        noValue: "none yet",
        size: [8, 8],
      }),
      timeSeries({
        title: "Forecast error (MAPE)",
        description:
          "Mean absolute error of the forecasts as a share of what came, half-life 6 h. The goal is below 18 %.",
        queries: [prom(`predict_forecast_mape_ratio{${OF}}`, "{{predictor}} {{signal}}")],
        unit: "percentunit",
        marks: [[0.18, ORANGE]],
        size: [8, 8],
      }),
      timeSeries({
        title: "Interval coverage",
        description:
          "Share of outcomes inside the interval, and the share that the interval claims (dashed).",
        queries: [
          prom(`predict_interval_coverage_ratio{${OF}}`, "{{predictor}} {{signal}}"),
          prom(`max(predict_interval_nominal_coverage_ratio{${OF}})`, "claimed"),
        ],
        unit: "percentunit",
        min: 0,
        max: 1,
        lines: { claimed: line({ color: GREY, dash: DASHED, width: 2 }) },
        size: [8, 8],
      }),
      timeSeries({
        title: "Error of the probabilities",
        description:
          "Brier score (mean squared error of the probability) and calibration error (dashed: mean distance of said and seen over the tenths). Lower is better.",
        queries: [
          prom(`predict_probability_brier_score{${OF}}`, "Brier {{predictor}} {{signal}}"),
          prom(`predict_probability_calibration_error{${OF}}`, "calibration {{predictor}} {{signal}}"),
        ],
        unit: "short",
        min: 0,
        lines: { "/^calibration/": dashedLine },
        size: [8, 8],
      }),
      stateTimeline({
        title: "Predictors that have been off lately",
        description:
          "Miscalibrated: the recent forecasts of the predictor were clearly wrong for this signal.",
        queries: [prom(`predict_predictor_miscalibrated{${OF}}`, "{{predictor}} {{signal}}")],
        states: { 0: ["sound", GREEN], 1: ["MISCALIBRATED", ORANGE] },
        size: [24, 8],
      }),
    ],
  },
];
