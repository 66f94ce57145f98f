import {
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
} from "@grafana/grafana-foundation-sdk/dashboard";
import { addRows } from "../kit/layout.ts";
import { marks } from "../kit/marks.ts";
import { labelVariable } from "../kit/variables.ts";
import { containment } from "./containment.ts";
import { decisions } from "./decisions.ts";
import { forecast } from "./forecast.ts";
import { guards } from "./guards.ts";
import { events } from "./logs.ts";
import { mitigations } from "./mitigations.ts";
import { monitor } from "./monitor.ts";
import { quality } from "./quality.ts";

/** What the monitor sees, expects, decided and did. */
export function predictiveSelfheal(): Dashboard {
  const dashboard = new DashboardBuilder("predictive-selfheal")
    .uid("predictive-selfheal")
    .description("What the monitor sees, expects, decided and did, and how good its forecasts have been.")
    .tags(["helius", "self-heal"])
    .timezone("browser")
    .time({ from: "now-1h", to: "now" })
    .refresh("30s")
    .tooltip(DashboardCursorSync.Crosshair)
    .readonly()
    .link(
      new DashboardLinkBuilder("Helius services")
        .type(DashboardLinkType.Link)
        .url("/d/helius-services")
        .keepTime(true),
    )
    .withVariable(
      labelVariable({
        name: "target",
        label: "Target",
        description: "Services that the monitor watches.",
        metric: "predict_slo",
        of: "target",
        first: "product-api",
      }),
    )
    .withVariable(
      labelVariable({
        name: "signal",
        label: "Signal",
        description: "What is watched of them.",
        metric: `predict_slo{target=~"$target"}`,
        of: "signal",
      }),
    );
  dashboard.withVariable(
    labelVariable({
      name: "region",
      label: "Region",
      description: "Regions whose devices publish telemetry.",
      metric: "telemetry_rate_limit",
      of: "region",
    }),
  );
  for (const mark of marks("$target")) dashboard.annotation(mark);
  return addRows(dashboard, [
    ...mitigations,
    ...forecast,
    ...decisions,
    ...guards,
    ...containment,
    ...quality,
    ...monitor,
    ...events,
  ]).build();
}
