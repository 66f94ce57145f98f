import { resolve } from "node:path";
import type { Dashboard } from "@grafana/grafana-foundation-sdk/dashboard";
import { heliusServices } from "./helius-services/index.ts";
import { predictiveSelfheal } from "./predictive-selfheal/index.ts";

/** Where Grafana reads them from. */
export const folder = resolve(import.meta.dirname, "../provisioning/dashboards/json");

/** Each dashboard's file name and the text of the file. */
export function dashboards(): Map<string, string> {
  const all: readonly Dashboard[] = [predictiveSelfheal(), heliusServices()];
  return new Map(
    all.map((dashboard) => [`${dashboard.uid}.json`, `${JSON.stringify(dashboard, null, 2)}\n`]),
  );
}
