import {
  AnnotationQueryBuilder,
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
} from "@grafana/grafana-foundation-sdk/dashboard";
import { addRows } from "../kit/layout.ts";
import { LOKI, loki } from "../kit/queries.ts";
import { BLUE, ORANGE, PURPLE } from "../kit/styles.ts";
import { labelVariable } from "../kit/variables.ts";
import { decisions } from "./decisions.ts";
import { forecast } from "./forecast.ts";
import { events } from "./logs.ts";
import { AUTOMATIC, MANUAL, mitigations } from "./mitigations.ts";
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
  for (const annotation of annotations()) dashboard.annotation(annotation);
  return addRows(dashboard, [
    ...mitigations,
    ...forecast,
    ...decisions,
    ...quality,
    ...monitor,
    ...events,
  ]).build();
}

/** Marks across all plots for what was done, by whom. */
function annotations(): AnnotationQueryBuilder[] {
  const mark = (options: {
    readonly name: string;
    readonly expr: string;
    readonly color: string;
    readonly title: string;
    readonly text: string;
    readonly tags: string;
  }) =>
    new AnnotationQueryBuilder()
      .name(options.name)
      .datasource(LOKI)
      .enable(true)
      .iconColor(options.color)
      .expr(options.expr)
      .target(loki(options.expr).builder("Anno"))
      .titleFormat(options.title)
      .textFormat(options.text)
      .tagKeys(options.tags);
  return [
    mark({
      name: "Automatic mitigations",
      expr: AUTOMATIC,
      color: PURPLE,
      title: "Automatic: {{target}} {{metric}}",
      text: "{{decision_detail}}",
      tags: "outcome,decision",
    }),
    mark({
      name: "Manual mitigations",
      expr: MANUAL,
      color: BLUE,
      title: "Manual: {{job}}",
      text: "called by hand",
      tags: "job",
    }),
    mark({
      name: "Injected faults",
      expr: `{job=~"$target"} |= "fault injected" | json | message="fault injected"`,
      color: ORANGE,
      title: "Fault: {{job}}",
      text: "{{mode}}",
      tags: "job,mode",
    }),
  ];
}
