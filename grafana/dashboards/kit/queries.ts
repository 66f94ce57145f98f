import type { Builder, Dataquery } from "@grafana/grafana-foundation-sdk/cog";
import type { DataSourceRef } from "@grafana/grafana-foundation-sdk/common";
import { DataqueryBuilder as LokiQuery } from "@grafana/grafana-foundation-sdk/loki";
import {
  DataqueryBuilder as PrometheusQuery,
  PromQueryFormat,
} from "@grafana/grafana-foundation-sdk/prometheus";

/** The data sources as `grafana/provisioning/datasources` names them. */
export const PROMETHEUS: DataSourceRef = { type: "prometheus", uid: "prometheus" };
export const LOKI: DataSourceRef = { type: "loki", uid: "loki" };

/** One query of a panel. */
export interface Query {
  readonly source: DataSourceRef;
  readonly builder: (refId: string) => Builder<Dataquery>;
}

/** PromQL over the range of the dashboard. `legend` may name labels: `{{target}}`. */
export function prom(expr: string, legend: string): Query {
  return {
    source: PROMETHEUS,
    builder: (refId) =>
      new PrometheusQuery().datasource(PROMETHEUS).expr(expr).legendFormat(legend).range().refId(refId),
  };
}

/** PromQL at the end of the range, one value a series. */
export function promNow(expr: string, legend: string): Query {
  return {
    source: PROMETHEUS,
    builder: (refId) =>
      new PrometheusQuery().datasource(PROMETHEUS).expr(expr).legendFormat(legend).instant().refId(refId),
  };
}

/** PromQL at the end of the range, as rows: one a series, one column a label. */
export function promTable(expr: string): Query {
  return {
    source: PROMETHEUS,
    builder: (refId) =>
      new PrometheusQuery()
        .datasource(PROMETHEUS)
        .expr(expr)
        .format(PromQueryFormat.Table)
        .instant()
        .refId(refId),
  };
}

/** LogQL that gives a number over the whole range. */
export function lokiNow(expr: string): Query {
  return {
    source: LOKI,
    builder: (refId) => new LokiQuery().datasource(LOKI).expr(expr).queryType("instant").refId(refId),
  };
}

/** LogQL over the range: lines, or numbers in time. */
export function loki(expr: string, legend = ""): Query {
  return {
    source: LOKI,
    builder: (refId) =>
      new LokiQuery().datasource(LOKI).expr(expr).legendFormat(legend).queryType("range").refId(refId),
  };
}
