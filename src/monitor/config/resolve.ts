import { toInternal } from "../../common/settings/internal.ts";
import type { PartsRecipe } from "../kernel/containment.ts";
import type { Signal, Thresholds } from "../kernel/signal.ts";
import type { Instance, Target } from "../kernel/target.ts";
import type { SignalPlugin, SignalSettings } from "../signals/define.ts";
import { signalPlugins } from "../signals/index.ts";
import type { FileConfig, TargetConfig } from "./schema.ts";

/** Tells of a value that is wrong only beside another. */
export type Complain = (path: readonly PropertyKey[], message: string) => void;

/** The targets of a file, every signal's thresholds resolved. */
export function resolveTargets(
  file: FileConfig,
  targets: readonly TargetConfig[],
  complain: Complain,
): Target[] {
  const seen = new Map<string, string>();
  return targets.map((t, i): Target => {
    const namedTwice = seen.has(`name ${t.name}`);
    for (const [key, value] of [
      ["name", t.name],
      ["job", t.job ?? t.name],
    ] as const) {
      const taken = seen.get(`${key} ${value}`);
      // A job that only follows from the name is not a second mistake.
      if (taken !== undefined && (key === "name" || t.job !== undefined || !namedTwice))
        complain(["targets", i, key], `"${value}" is already the ${key} of ${taken}; each must be unique`);
      seen.set(`${key} ${value}`, `target ${i + 1}`);
    }
    return {
      name: t.name,
      job: t.job ?? t.name,
      instances: resolveInstances(t, i, complain),
      aggregate: t.aggregate,
      cooldownMs: 1000 * (t.cooldown_seconds ?? file.predict.cooldown_seconds),
      autoHeal: t.auto_heal,
      signals: signalPlugins.flatMap((plugin) => {
        const of = ({ signals }: Pick<FileConfig, "signals">) =>
          toInternal(plugin.settings, signals[plugin.kind] ?? {});
        return resolveSignal(plugin, { common: of(file), own: of(t) }, i, complain);
      }),
      ...(t.parts === undefined ? {} : { parts: resolveParts(t.parts) }),
    };
  });
}

function resolveInstances(t: TargetConfig, i: number, complain: Complain): Instance[] {
  const urls = t.urls ?? (t.url === undefined ? [] : [t.url]);
  if (new Set(urls).size !== urls.length) complain(["targets", i, "urls"], "must not list an instance twice");
  const own = t.admin_urls === undefined ? "admin_url" : "admin_urls";
  const adminUrls = t.admin_urls ?? (t.admin_url === undefined ? undefined : [t.admin_url]);
  if (t.admin_url !== undefined && t.admin_urls !== undefined)
    complain(["targets", i, "admin_url"], "must not stand beside admin_urls");
  else if (adminUrls !== undefined && adminUrls.length !== urls.length)
    complain(
      ["targets", i, own],
      `must give one URL for each instance, in their order: ${urls.length}, not ${adminUrls.length}`,
    );
  return urls.map((url, n) => {
    const adminUrl = adminUrls?.[n];
    const instance = { name: instanceName(new URL(url)), url };
    return adminUrl === undefined ? instance : { ...instance, adminUrl };
  });
}

function resolveParts(parts: NonNullable<TargetConfig["parts"]>): PartsRecipe {
  return {
    label: parts.label,
    backlogMetric: parts.backlog_metric,
    inboundMetric: parts.inbound_metric,
  };
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
