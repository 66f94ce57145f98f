import { NO_SETTINGS } from "../../src/common/settings/fields.ts";
import { defaultOf, metaOf, shapeOf } from "../../src/common/settings/walk.ts";
import { pluginsBySection } from "../../src/monitor/app/plugins.ts";
import { bindings, flagOf } from "../../src/monitor/config/bindings.ts";
import { sectionOf } from "../../src/monitor/config/plugins.ts";
import { fileSchema } from "../../src/monitor/config/schema.ts";
import { type TrendKind, trendSettings } from "../../src/monitor/forecast/settings.ts";
import type { Plugin } from "../../src/monitor/kernel/plugin.ts";
import { allowed, schemaAt } from "./allowed.ts";
import { code, table, withGenerated } from "./tables.ts";
import { envelopeMeanings, filterMeanings } from "./trend-meanings.ts";

/** docs/configuration.md with its tables written anew from the schema, the bindings and the settings of the forecast. */
export function configurationReference(text: string): string {
  return withGenerated(text, {
    settings: settings(),
    plugins: plugins(),
    targets: keys("targets", "target", ["name"]),
    signals: keys("signals.p95_latency", "signal", [], ["slo", "exit", "limit"]),
    calls: keys("actions.http", "call", ["name", "url"]),
    maintenance: keys("guards.maintenance", "window", ["name", "reason"]),
    silences: keys("guards.silences", "silence", ["id", "author", "reason", "starts_at", "ends_at"]),
    constants: constants(),
    envelope: envelope(),
  });
}

function settings(): string {
  return table(
    ["key", "flag", "variable", "default", "must be", "meaning"],
    bindings.map((b) => [
      code(b.path),
      code(`--${flagOf(b.path)}`),
      b.env === undefined ? "" : code(b.env),
      b.shownDefault,
      allowed(b.schema),
      b.help,
    ]),
  );
}

function plugins(): string {
  const rows = Object.entries(pluginsBySection).flatMap(([section, list]: [string, readonly Plugin[]]) =>
    list.map((plugin) => [
      section,
      code(plugin.kind),
      plugin.settings === NO_SETTINGS ? "" : code(`${section}.${sectionOf(plugin)}`),
      plugin.docs.summary,
    ]),
  );
  return table(["section", "kind", "its settings", "what it is"], rows);
}

/** The keys of a mapping that stands in the file only; `required` is shown where a default would stand. */
function keys(
  path: string,
  what: string,
  required: readonly string[],
  omitted: readonly string[] = [],
): string {
  const shape = shapeOf(schemaAt(fileSchema, path)) ?? {};
  const rows = Object.entries(shape)
    .filter(([key]) => !omitted.includes(key))
    .map(([key, schema]) => {
      const meta = metaOf(schema);
      if (meta.description === undefined) throw new Error(`${path}.${key} has no description in the schema`);
      const shown = meta.shownDefault ?? plain(defaultOf(schema));
      return [
        code(key),
        required.includes(key) ? "required" : shown.trim(),
        allowed(schema),
        meta.description,
      ];
    });
  return table([`key of a ${what}`, "default", "must be", "meaning"], rows);
}

const KINDS: readonly TrendKind[] = ["latency", "ratio", "memory", "backlog"];

function constants(): string {
  const filters = KINDS.map((kind) => trendSettings(kind, "default").filter);
  const names = Object.keys(filterMeanings) as (keyof typeof filterMeanings)[];
  return table(
    ["filter", ...KINDS, "meaning"],
    names.map((name) => [code(name), ...filters.map((f) => plain(f[name])), filterMeanings[name]]),
  );
}

function envelope(): string {
  const settings = trendSettings("memory", "default").envelope;
  if (settings === undefined) throw new Error("memory has no envelope");
  const names = Object.keys(envelopeMeanings) as (keyof typeof envelopeMeanings)[];
  return table(
    ["envelope", "memory", "meaning"],
    names.map((name) => [code(name), plain(settings[name]), envelopeMeanings[name]]),
  );
}

/** A default as it is read: four digits, without what binary fractions leave. */
function plain(value: unknown): string {
  if (typeof value === "number") return String(Number(value.toPrecision(4)));
  return value === undefined ? "" : code(String(value));
}
