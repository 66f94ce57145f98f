import { actionsReference } from "./actions.ts";
import { configurationReference } from "./configuration.ts";
import { guardMetricsReference, metricsReference } from "./metrics.ts";

/** Documents with tables written from the program: each text with those written anew. */
export const generated: Readonly<Record<string, (text: string) => string>> = {
  "docs/configuration.md": configurationReference,
  "docs/actions.md": actionsReference,
  "docs/guards.md": guardMetricsReference,
  "docs/metrics.md": metricsReference,
};
