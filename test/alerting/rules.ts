import { globSync } from "node:fs";
import { parser } from "@prometheus-io/lezer-promql";
import { parse } from "yaml";
import { inRepository, readRepository } from "../containers/compose.ts";

export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly keep_firing_for?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Rule file, from the root of the repository. */
  readonly file: string;
}

export interface RecordingRule {
  readonly record: string;
  readonly expr: string;
  readonly file: string;
}

/** Rule files that Prometheus loads, from the root of the repository. */
export const ruleFiles = globSync("prometheus/rules/*.yml", { cwd: inRepository(".") }).sort();

interface Group {
  readonly rules: readonly (Partial<AlertRule> & Partial<RecordingRule>)[];
}

function rulesOf(file: string): (Partial<AlertRule> & Partial<RecordingRule>)[] {
  const { groups } = parse(readRepository(file)) as { groups: readonly Group[] };
  return groups.flatMap((group) => group.rules.map((rule) => ({ ...rule, file })));
}

const prometheusRules = ruleFiles.flatMap(rulesOf);

/** Alerts that Prometheus evaluates. */
export const prometheusAlerts = prometheusRules.filter((r) => r.alert !== undefined) as AlertRule[];

export const recordingRules = prometheusRules.filter((r) => r.record !== undefined) as RecordingRule[];

/** Alerts that Loki's ruler evaluates. */
export const lokiAlerts = globSync("loki/rules/**/*.yml", { cwd: inRepository(".") })
  .sort()
  .flatMap(rulesOf)
  .filter((r) => r.alert !== undefined) as AlertRule[];

/** Every alert there is. */
export const alertRules = [...prometheusAlerts, ...lokiAlerts];

/** Names of the metrics that a PromQL expression reads. Throws where it does not parse. */
export function metricsOf(promql: string): string[] {
  const names = new Set<string>();
  parser.parse(promql).iterate({
    enter: (node) => {
      if (node.type.isError) throw new Error(`not PromQL at ${node.from}: ${promql}`);
      if (node.name === "VectorSelector")
        names.add(/^[\w:]+/.exec(promql.slice(node.from, node.to))?.[0] ?? "");
    },
  });
  return [...names];
}
