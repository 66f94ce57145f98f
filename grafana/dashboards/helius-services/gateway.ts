import type { Row } from "../kit/layout.ts";
import { stat, stateTimeline, timeSeries } from "../kit/panels.ts";
import { prom, promNow } from "../kit/queries.ts";
import { DASHED, GREEN, ORANGE, PURPLE, RED } from "../kit/styles.ts";

const OF = `region=~"$region"`;

/** A gauge that has one series a state, 1 for the present one, as one number: 0 closed, 1 half open, 2 open. */
export function breakerState(metric: string, by: string, matchers = ""): string {
  const state = (name: string) =>
    `max by (${by}) (${metric}{${[matchers, `state="${name}"`].filter((m) => m !== "").join(",")}})`;
  return `2 * ${state("open")} + ${state("half_open")}`;
}

export const BREAKER_STATES = { 0: ["closed", GREEN], 1: ["half open", PURPLE], 2: ["OPEN", RED] } as const;

export const gateway: readonly Row[] = [
  {
    number: 3,
    title: "Telemetry gateway",
    panels: [
      timeSeries({
        title: "Queue by region",
        description:
          "Messages that are acknowledged and wait for the store. PipelineBacklogHigh fires above 100 (dashed) for 10 minutes.",
        queries: [prom(`sum by (region) (queue_depth{job="telemetry-gateway",${OF}})`, "{{region}}")],
        unit: "short",
        marks: [[100, RED]],
        legend: "table",
        size: [16, 9],
      }),
      stateTimeline({
        title: "Breaker by region",
        description:
          "Open: writes of the region failed, it is left alone and its messages wait in the buffer.",
        queries: [prom(breakerState("telemetry_circuit_breaker_state", "region", OF), "{{region}}")],
        states: BREAKER_STATES,
        size: [8, 9],
      }),
      timeSeries({
        title: "Messages received",
        description:
          "By what became of them. Refused ones (full, limited, isolated) are not acknowledged: the device keeps them.",
        queries: [
          prom(
            `sum by (region, result) (rate(telemetry_received_total{${OF}}[$__rate_interval])) > 0`,
            "{{region}}: {{result}}",
          ),
        ],
        unit: "cps",
        draw: "bars",
        size: [12, 8],
      }),
      timeSeries({
        title: "Messages delivered and tried again",
        description:
          "Written to the telemetry store (solid), and failed writes that will be repeated (dashed).",
        queries: [
          prom(`sum by (region) (rate(telemetry_delivered_total{${OF}}[$__rate_interval]))`, "{{region}}"),
          prom(
            `sum by (region) (rate(telemetry_retries_total{${OF}}[$__rate_interval]))`,
            "{{region}}: tried again",
          ),
        ],
        unit: "cps",
        lines: { "/tried again$/": [{ id: "custom.lineStyle", value: { fill: "dash", dash: [...DASHED] } }] },
        size: [12, 8],
      }),
      timeSeries({
        title: "Rate limit",
        description:
          "Messages a second that a region may send; the control plane cuts it during a containment.",
        queries: [prom(`max by (region) (telemetry_rate_limit{${OF}})`, "{{region}}")],
        unit: "cps",
        draw: "steps",
        size: [8, 8],
      }),
      timeSeries({
        title: "Isolation",
        description: "Seconds until the isolation of a region ends; 0: not isolated.",
        queries: [prom(`max by (region) (telemetry_region_isolated_seconds{${OF}})`, "{{region}}")],
        unit: "s",
        size: [8, 8],
      }),
      timeSeries({
        title: "Buffer in use",
        description:
          "Share of the region's buffer that is taken. Full: new messages are refused before they are acknowledged.",
        queries: [prom(`max by (region) (telemetry_buffer_fill_ratio{${OF}})`, "{{region}}")],
        unit: "percentunit",
        max: 1,
        marks: [[0.8, ORANGE]],
        size: [8, 8],
      }),
      timeSeries({
        title: "Dead letters",
        description: "Messages given up, by reason. They are kept and can be replayed.",
        queries: [
          prom(
            `sum by (region, reason) (increase(telemetry_dead_lettered_total{${OF}}[$__rate_interval]))`,
            "{{region}}: {{reason}}",
          ),
        ],
        unit: "short",
        draw: "bars",
        size: [12, 7],
      }),
      stat({
        title: "Dead letters kept",
        description:
          "POST /admin/mitigate?action=replay-dead-letters puts them back once their cause is gone.",
        queries: [promNow(`sum(telemetry_dead_letters)`, "kept")],
        unit: "short",
        decimals: 0,
        noValue: "unknown",
        redFrom: 1,
        size: [4, 7],
      }),
      stat({
        title: "Duplicates dropped",
        description:
          "Messages of the selected range whose id was known: sent again by the device, and without a second effect.",
        queries: [promNow(`sum(increase(telemetry_duplicates_total{${OF}}[$__range]))`, "dropped")],
        unit: "short",
        decimals: 0,
        noValue: "unknown",
        size: [4, 7],
      }),
      stat({
        title: "MQTT connections",
        description: "Devices connected to the gateway's own listener, or its connections to the broker.",
        queries: [promNow(`sum(telemetry_mqtt_connections)`, "connections")],
        unit: "short",
        decimals: 0,
        noValue: "unknown",
        size: [4, 7],
      }),
    ],
  },
];
