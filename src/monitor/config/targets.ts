import { z } from "zod";
import { baseUrl, described, flag, metricName, name, seconds, text } from "../../common/settings/fields.ts";
import type { Internal } from "../../common/settings/internal.ts";
import type { Signal, Thresholds } from "../kernel/signal.ts";
import type { Instance, Target } from "../kernel/target.ts";
import type { SignalPlugin, SignalSettings } from "../signals/define.ts";
import { signalPlugins } from "../signals/index.ts";
import type { Complain } from "./errors.ts";
import { type Healers, resolveMitigation, speaksHelius } from "./mitigation.ts";
import { settingsOf } from "./plugins.ts";
import { queryProblem } from "./query.ts";

/** A label that tells targets apart: Prometheus' own grouping labels do not. */
const LABEL = /^(?!__|(?:job|instance|le|quantile)$)[a-zA-Z_][a-zA-Z0-9_]*$/;
const NOT_A_LABEL =
  "must be a label of letters, digits and underscores, other than job, instance, le and quantile";

/** Where the parts of a target are told apart; Prometheus' own grouping labels name no part. */
const parts = z.strictObject({
  label: z.string({ error: "must be a label, e.g. region" }).regex(LABEL, { error: NOT_A_LABEL }),
  backlog_metric: metricName("a gauge, e.g. queue_depth"),
  inbound_metric: metricName("a counter, e.g. telemetry_received_total"),
});

/** What a `mitigate` may be. */
export const MITIGATE = "helius, none, or the name of an entry of actions.http or of a playbook";

/** One entry of `targets`. */
export const targetSchema = z
  .strictObject({
    name: described(name(), "unique"),
    job: described(
      z.string({ error: "must be the value of the job label" }).optional(),
      'value of the `job` label in Prometheus; `""`: its series have none',
      "the name",
    ),
    match: described(
      z
        .record(z.string().regex(LABEL, { error: NOT_A_LABEL }), text("the value of the label"), {
          error: ({ code }) =>
            code === "invalid_key" ? NOT_A_LABEL : "must be labels with their values, e.g. {env: prod}",
        })
        .optional(),
      "further labels with the values that its series have, `{env: prod}`: stands in every query of it beside the job",
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
    mitigate: described(
      text(MITIGATE).optional(),
      "what heals it where no playbook answers: `helius`, its own admin plane; the name of an entry of `actions.http` or of a playbook; `none`: it is watched, not touched",
      "the top-level `mitigate`",
    ),
    auto_heal: described(flag().default(true), "false: shadow mode for this target"),
    signals: described(
      z.strictObject(settingsOf(signalPlugins)).prefault({}),
      "overrides for this target, as below",
      " ",
    ),
    parts: described(
      parts.optional(),
      "how its parts are told apart, e.g. the regions of the gateway, as below",
    ),
  })
  .refine((t) => (t.url === undefined) !== (t.urls === undefined), {
    error: "must have either url (one instance) or urls (several)",
  });

type GivenTarget = Internal<typeof targetSchema>;

/** The targets of a file, every signal's thresholds resolved. */
export function resolveTargets(
  given: {
    readonly targets: readonly GivenTarget[];
    /** What the file says of signals for all targets. */
    readonly signals: Readonly<Record<string, unknown>>;
    readonly cooldownMs: number;
    /** Of targets that do not say. */
    readonly mitigate: string;
    readonly healers: Healers;
  },
  complain: Complain,
): Target[] {
  checkIdentities(given.targets, complain);
  return given.targets.map((t, i): Target => {
    const { name, aggregate, autoHeal, match, parts } = t;
    const stated = t.mitigate ?? given.mitigate;
    const place = t.mitigate === undefined ? ["mitigate"] : ["targets", i, "mitigate"];
    const mitigation = resolveMitigation(stated, given.healers, (message) => complain(place, message));
    const helius = speaksHelius(name, stated, given.healers);
    return {
      name,
      job: t.job ?? name,
      ...(match === undefined ? {} : { match }),
      instances: resolveInstances({ ...t, helius }, i, complain),
      aggregate,
      cooldownMs: t.cooldownMs ?? given.cooldownMs,
      autoHeal,
      signals: signalPlugins.flatMap((plugin) => {
        const of = (signals: Readonly<Record<string, unknown>>) => signals[plugin.kind] as SignalSettings;
        return resolveSignal(plugin, { common: of(given.signals), own: of(t.signals) }, i, complain);
      }),
      ...(mitigation === undefined ? {} : { mitigation }),
      ...(parts === undefined ? {} : { parts }),
    };
  });
}

/** Each target has a name of its own, and series of its own. */
function checkIdentities(targets: readonly GivenTarget[], complain: Complain): void {
  targets.forEach((t, i) => {
    const twin = targets.findIndex((other) => other.name === t.name);
    if (twin < i)
      complain(
        ["targets", i, "name"],
        `"${t.name}" is already the name of target ${twin + 1}; each must be unique`,
      );
    const job = t.job ?? t.name;
    const shared = targets.findIndex(
      (other, k) =>
        k < i &&
        (other.job ?? other.name) === job &&
        (isPartOf(other.match, t.match) || isPartOf(t.match, other.match)),
    );
    // A job that only follows from the name is not a second mistake.
    if (shared < 0 || (shared === twin && t.job === undefined)) return;
    complain(
      ["targets", i, "job"],
      `"${job}" is already the job of target ${shared + 1}; each must be unique, or told apart by match, e.g. match: {env: prod}`,
    );
  });
}

type Match = GivenTarget["match"];

/** Whether all that the labels say, the other labels say too: then the series of the latter are also of the former. */
function isPartOf(labels: Match = {}, other: Match = {}): boolean {
  return Object.entries(labels).every(([name, value]) => other[name] === value);
}

/** The signals of a target that says nothing of them; the file may give levels that only fit where a target gives others. */
export function commonSignals(signals: Readonly<Record<string, unknown>>): Signal[] {
  return signalPlugins.flatMap((plugin) =>
    resolveSignal(plugin, { common: signals[plugin.kind] as SignalSettings, own: {} }, 0, () => {}),
  );
}

function resolveInstances(
  t: GivenTarget & { readonly helius: boolean },
  i: number,
  complain: Complain,
): Instance[] {
  const urls = t.urls ?? (t.url === undefined ? [] : [t.url]);
  if (new Set(urls).size !== urls.length) complain(["targets", i, "urls"], "must not list an instance twice");
  const own = t.adminUrls === undefined ? "admin_url" : "admin_urls";
  const adminUrls = t.adminUrls ?? (t.adminUrl === undefined ? undefined : [t.adminUrl]);
  if (t.adminUrl !== undefined && t.adminUrls !== undefined)
    complain(["targets", i, "admin_url"], "must not stand beside admin_urls");
  else if (adminUrls !== undefined && adminUrls.length !== urls.length)
    complain(
      ["targets", i, own],
      `must give one URL for each instance, in their order: ${urls.length}, not ${adminUrls.length}`,
    );
  else if (adminUrls !== undefined && !t.helius)
    complain(["targets", i, own], "is the admin plane of a Helius service: say mitigate: helius");
  return urls.map((url, n) => {
    const instance = { name: instanceName(new URL(url)), url };
    return t.helius ? { ...instance, adminUrl: adminUrls?.[n] ?? url } : instance;
  });
}

/** As Prometheus names it: always with the port. */
function instanceName({ hostname, port, protocol }: URL): string {
  return `${hostname}:${port === "" ? (protocol === "https:" ? 443 : 80) : port}`;
}

function resolveSignal(
  plugin: SignalPlugin,
  given: { readonly common: SignalSettings; readonly own: SignalSettings },
  i: number,
  complain: Complain,
): Signal[] {
  const { common, own } = given;
  // A target that sets its own SLO does not inherit the common exit: that belongs to the common SLO.
  const merged = { ...common, ...(own.slo === undefined ? {} : { exit: undefined }), ...own };
  if (merged.enabled === false) return [];
  const signal = plugin.create(merged);
  for (const [key, name] of [
    ["query", "query"],
    ["supportQuery", "support_query"],
  ] as const) {
    const place = own[key] === undefined ? ["signals"] : ["targets", i, "signals"];
    const wrong = merged[key] === undefined ? undefined : queryProblem(merged[key]);
    if (wrong !== undefined) complain([...place, plugin.kind, name], wrong);
  }
  const path = (level: keyof Thresholds): PropertyKey[] =>
    own[level] !== undefined
      ? ["targets", i, "signals", plugin.kind, level]
      : ["signals", plugin.kind, level];
  const { slo, exit, limit } = signal.thresholds;
  // The level that somebody gave is named, not the one that follows from a default.
  if (exit > slo)
    complain(
      path(merged.exit === undefined ? "slo" : "exit"),
      `must not put the exit above the SLO: exit ${exit}, slo ${slo}`,
    );
  if (slo >= limit)
    complain(
      path(merged.slo === undefined ? "limit" : "slo"),
      `must leave the SLO below the hard limit: slo ${slo}, limit ${limit}`,
    );
  return [signal];
}
