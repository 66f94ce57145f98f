import {
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
} from "@grafana/grafana-foundation-sdk/dashboard";
import { addRows, type Row } from "../kit/layout.ts";
import { marks } from "../kit/marks.ts";
import { logs, timeSeries } from "../kit/panels.ts";
import { loki } from "../kit/queries.ts";
import { labelVariable } from "../kit/variables.ts";
import { gateway } from "./gateway.ts";
import { models } from "./models.ts";
import { overview } from "./overview.ts";

const TROUBLE = `{job=~"$service", level=~"warn|error|fatal"}`;

const lines: Row = {
  number: 7,
  title: "Log",
  panels: [
    timeSeries({
      title: "Warnings and errors",
      description: "Log lines of these levels in steps of a minute, by program.",
      queries: [loki(`sum by (job, level) (count_over_time(${TROUBLE}[1m]))`, "{{job}}: {{level}}")],
      unit: "short",
      draw: "bars",
      size: [24, 7],
    }),
    logs({
      title: "Warnings and errors: lines",
      description: "docs/logs.md explains each message. A line opens to all its fields.",
      queries: [
        loki(`${TROUBLE} | json | line_format "{{.job}} {{.level}}: {{.message}} {{.reason}}{{.error}}"`),
      ],
      size: [24, 10],
    }),
  ],
};

/** What the services themselves say: queues, breakers, fallbacks, models. */
export function heliusServices(): Dashboard {
  const dashboard = new DashboardBuilder("helius-services")
    .uid("helius-services")
    .description(
      "The Helius services from within: queues by region, breakers, fallback modes, model outputs.",
    )
    .tags(["helius", "services"])
    .timezone("browser")
    .time({ from: "now-1h", to: "now" })
    .refresh("30s")
    .tooltip(DashboardCursorSync.Crosshair)
    .readonly()
    .link(
      new DashboardLinkBuilder("predictive-selfheal")
        .type(DashboardLinkType.Link)
        .url("/d/predictive-selfheal")
        .keepTime(true),
    )
    .withVariable(
      labelVariable({
        name: "service",
        label: "Service",
        description: "Helius services that Prometheus scrapes.",
        metric: "helius_service_build_info",
        of: "job",
      }),
    )
    .withVariable(
      labelVariable({
        name: "region",
        label: "Region",
        description: "Regions whose devices publish telemetry.",
        metric: "telemetry_rate_limit",
        of: "region",
      }),
    );
  for (const mark of marks("$service")) dashboard.annotation(mark);
  return addRows(dashboard, [...overview, ...gateway, ...models, lines]).build();
}
