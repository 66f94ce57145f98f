import { AnnotationQueryBuilder } from "@grafana/grafana-foundation-sdk/dashboard";
import { automatic, manual } from "./events.ts";
import { LOKI, loki } from "./queries.ts";
import { BLUE, GREEN, ORANGE, PURPLE } from "./styles.ts";

/**
 * Marks across all plots for what was done, by whom, and for what was injected.
 * @param services variable that chooses the services
 */
export function marks(services: string): AnnotationQueryBuilder[] {
  return [
    mark({
      name: "Automatic mitigations",
      expr: automatic(services),
      color: PURPLE,
      title: "Automatic: {{action}} {{target}} {{metric}}",
      text: "{{decision_detail}}",
      tags: "outcome,decision",
    }),
    mark({
      name: "Taken back",
      expr: `{job="predictive-monitor"} |= "containment undone" | json | target=~"${services}"`,
      color: GREEN,
      title: "Taken back: {{action}} {{target}}",
      text: "{{decision_detail}}",
      tags: "playbook,outcome",
    }),
    mark({
      name: "Manual mitigations",
      expr: manual(services),
      color: BLUE,
      title: "Manual: {{job}}",
      text: "called by hand",
      tags: "job",
    }),
    mark({
      name: "Injected faults",
      expr: `{job=~"${services}"} |= "fault injected" | json | message="fault injected"`,
      color: ORANGE,
      title: "Fault: {{job}}",
      text: "{{mode}}",
      tags: "job,mode",
    }),
  ];
}

function mark(options: {
  readonly name: string;
  readonly expr: string;
  readonly color: string;
  readonly title: string;
  readonly text: string;
  readonly tags: string;
}): AnnotationQueryBuilder {
  return new AnnotationQueryBuilder()
    .name(options.name)
    .datasource(LOKI)
    .enable(true)
    .iconColor(options.color)
    .expr(options.expr)
    .target(loki(options.expr).builder("Anno"))
    .titleFormat(options.title)
    .textFormat(options.text)
    .tagKeys(options.tags);
}
