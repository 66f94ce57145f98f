import { z } from "zod";
import {
  baseUrl,
  described,
  flag,
  listenAddress,
  metricName,
  name,
  number,
  seconds,
  share,
  text,
} from "../../common/settings/fields.ts";
import { type TrendKind, trendSettings } from "../forecast/settings.ts";
import { signalPlugins } from "../signals/index.ts";
import { alertmanagerSchema, guardsSchema, verificationSchema } from "./guards.ts";
import { containmentSchema, playbooksSchema } from "./playbooks.ts";
import { actionsSchema } from "./plugins.ts";

/** Every constant of one group, each optional: whole or broken, never negative; a probability is a share. */
function constantsOf(defaults: object) {
  return z.strictObject(
    Object.fromEntries(
      Object.entries(defaults).map(([name, value]) => [
        name,
        (typeof value === "boolean"
          ? flag()
          : number({ min: 0, max: name === "probability" ? 1 : 1e9, unit: `default ${value}` })
        ).optional(),
      ]),
    ),
  );
}

const SHAPES: readonly TrendKind[] = ["latency", "ratio", "memory", "backlog"];

const trendConstants = z
  .strictObject(
    Object.fromEntries(
      SHAPES.map((kind) => {
        const { filter, envelope } = trendSettings(kind, "default");
        const groups = { filter: constantsOf(filter).optional() };
        const all =
          envelope === undefined ? groups : { ...groups, envelope: constantsOf(envelope).optional() };
        return [kind, z.strictObject(all).optional()];
      }),
    ),
  )
  .optional();

function signalsObject() {
  return z
    .strictObject(Object.fromEntries(signalPlugins.map(({ kind, settings }) => [kind, settings])))
    .prefault({});
}

/** Where the parts of a target are told apart; Prometheus' own grouping labels name no part. */
const parts = z.strictObject({
  label: z
    .string({ error: "must be a label, e.g. region" })
    .regex(/^(?!__|(?:job|instance|le|quantile)$)[a-zA-Z_][a-zA-Z0-9_]*$/, {
      error: "must be a label of letters, digits and underscores, other than job, instance, le and quantile",
    }),
  backlog_metric: metricName("a gauge, e.g. queue_depth"),
  inbound_metric: metricName("a counter, e.g. telemetry_received_total"),
});

const target = z
  .strictObject({
    name: described(name(), "unique"),
    job: described(
      text("the value of the job label").optional(),
      "value of the `job` label in Prometheus",
      "the name",
    ),
    url: described(baseUrl().optional(), "base URL of its one instance; either this or `urls`"),
    urls: described(
      z.array(baseUrl()).min(1, "must list at least one URL").optional(),
      "base URLs of its instances",
    ),
    admin_url: described(
      baseUrl().optional(),
      "base URL of its admin plane, where `ADMIN_LISTEN_ADDRESS` puts it elsewhere",
      "the same as `url`",
    ),
    admin_urls: described(
      z.array(baseUrl()).min(1, "must list at least one URL").optional(),
      "the same for `urls`: one an instance, in their order",
      "the same as `urls`",
    ),
    aggregate: described(
      z.enum(["job", "worst_instance"], { error: 'must be "job" or "worst_instance"' }).default("job"),
      "`job`: one value over all instances; `worst_instance`: the worst of their values",
    ),
    cooldown_seconds: described(
      seconds(0, 86_400).optional(),
      "pause after a mitigation",
      "`predict.cooldown_seconds`",
    ),
    auto_heal: described(flag().default(true), "false: shadow mode for this target"),
    signals: described(signalsObject(), "overrides for this target, as below", " "),
    parts: described(
      parts.optional(),
      "how its parts are told apart, e.g. the regions of the gateway, as below",
    ),
  })
  .refine((t) => (t.url === undefined) !== (t.urls === undefined), {
    error: "must have either url (one instance) or urls (several)",
  });

/** The configuration file. Every key has a default, so that an empty file is a valid one. */
export const fileSchema = z.strictObject({
  cycle_interval_seconds: number({ min: 1, max: 3600, unit: "seconds", integer: true }).default(30),
  auto_heal: flag().default(true),
  data_dir: text("a folder").default("./data"),
  admin: z
    .strictObject({
      token: text("the admin token").optional(),
      token_file: text("a file that holds the admin token").optional(),
    })
    .default({}),
  web: z
    .strictObject({
      port: number({ min: 0, max: 65_535, unit: "a TCP port", integer: true }).default(9105),
      listen_address: listenAddress().optional(),
      external_url: baseUrl().optional(),
      enable_lifecycle: flag().default(false),
      token: text("the token of those who tell the monitor").optional(),
      token_file: text("a file that holds it").optional(),
    })
    .prefault({}),
  log: z
    .strictObject({
      level: z
        .enum(["debug", "info", "warn", "error"], { error: "must be debug, info, warn or error" })
        .default("info"),
      format: z.enum(["json", "pretty"], { error: "must be json or pretty" }).default("json"),
      file: text("a file to append to").optional(),
      file_max_bytes: number({ min: 0, max: 2 ** 40, unit: "bytes; 0: no limit", integer: true }).default(
        50_000_000,
      ),
    })
    .prefault({}),
  sources: z
    .strictObject({
      order: z
        .array(z.enum(["prometheus", "scrape"], { error: "must be prometheus or scrape" }))
        .min(1, "must name at least one source")
        .refine((o) => new Set(o).size === o.length, { error: "must not name a source twice" })
        .default(["prometheus", "scrape"]),
      rate_window_seconds: number({ min: 2, max: 7200, unit: "seconds", integer: true }).optional(),
      max_sample_age_seconds: seconds(1, 86_400).optional(),
      max_response_bytes: number({ min: 1024, max: 2 ** 30, unit: "bytes", integer: true }).default(
        33_554_432,
      ),
      prometheus: z
        .strictObject({
          url: baseUrl().default("http://prometheus:9090"),
          timeout_seconds: seconds(0.1, 300).optional(),
        })
        .prefault({}),
      scrape: z
        .strictObject({
          path: z
            .string({ error: "must be a path" })
            .regex(/^\/[^\s?#]*$/, "must be a path that starts with /")
            .default("/metrics"),
          timeout_seconds: seconds(0.1, 300).optional(),
        })
        .prefault({}),
    })
    .prefault({}),
  predict: z
    .strictObject({
      horizon_seconds: seconds(1, 86_400).default(180),
      prob_strong: share().default(0.6),
      prob_confirm_min: share().default(0.3),
      min_r2: share().default(0.2),
      pre_timeout_ratio: number({ min: 0, max: 10, unit: "a share of the hard limit", above: true }).default(
        0.9,
      ),
      cooldown_seconds: seconds(0, 86_400).default(300),
      sensitivity: z
        .enum(["strict", "default", "eager"], { error: "must be strict, default or eager" })
        .default("default"),
      constants: trendConstants,
      window_samples: number({ min: 5, max: 1000, unit: "samples", integer: true }).default(20),
    })
    .prefault({}),
  signals: signalsObject(),
  actions: actionsSchema,
  targets: z.array(target).min(1, "must list at least one target").optional(),
  guards: guardsSchema,
  verification: verificationSchema,
  alertmanager: alertmanagerSchema,
  containment: containmentSchema,
  playbooks: playbooksSchema,
});

/** The file after parsing, with defaults filled in. */
export type FileConfig = z.output<typeof fileSchema>;
export type TargetConfig = NonNullable<FileConfig["targets"]>[number];

/** The keys that the mapping at `path` may have; empty where there is none. */
export function keysAt(schema: z.core.$ZodType, path: readonly PropertyKey[]): string[] {
  const { def } = schema._zod;
  if ("innerType" in def) return keysAt(def.innerType as z.core.$ZodType, path);
  if (def.type === "union") {
    const { options } = def as z.core.$ZodUnionDef;
    return [...new Set(options.flatMap((option) => keysAt(option, path)))];
  }
  const [step, ...rest] = path;
  if (def.type === "array")
    return step === undefined ? [] : keysAt((def as z.core.$ZodArrayDef).element, rest);
  if (def.type !== "object") return [];
  const { shape } = def as z.core.$ZodObjectDef;
  if (step === undefined) return Object.keys(shape);
  const inner = shape[String(step)];
  return inner === undefined ? [] : keysAt(inner, rest);
}
