import { loadConfig } from "../monitor/config/load.ts";
import { describe } from "../monitor/config/plugins.ts";
import type { Config } from "../monitor/config/types.ts";
import { healedBy, type Playbook } from "../monitor/kernel/containment.ts";
import { type Command, UsageError } from "./command.ts";
import { readFlags } from "./flags.ts";

export const checkConfigCommand: Command = {
  name: "check-config",
  help: () =>
    `helius check-config FILE

Checks FILE as the monitor would read it, environment variables included.
Prints a summary and exits 0, or one line a problem (file:line:col: what, and what would be right) and exits 1.`,
  async run({ args, env }) {
    const file = readFlags(args, [], 1).positionals[0];
    if (file === undefined) throw new UsageError("name the file to check");
    process.stdout.write(summary(loadConfig({ file, env, flags: {} })));
    return 0;
  },
};

function summary(config: Config): string {
  const p = config.predict;
  const head = `${config.file}: valid
cycle ${config.cycleIntervalMs / 1000} s, horizon ${p.horizonMs / 1000} s, ${config.autoHeal ? "acting" : "shadow mode"}
sources: ${config.sources.order.join(", then ")}; rates over ${config.sources.rateWindowMs / 1000} s
`;
  const targets = config.targets.map((t) => {
    const own = `target ${t.name} (job ${t.job}, ${t.instances.map((i) => i.url).join(", ")}; ${t.aggregate}; cooldown ${t.cooldownMs / 1000} s${t.autoHeal ? "" : "; shadow"})`;
    const signals = t.signals.map(
      ({ name, unit, thresholds: x }) =>
        `  ${name.padEnd(12)} exit ${x.exit}  slo ${x.slo}  limit ${x.limit}  ${unit}`,
    );
    return [own, `  ${healedBy(t, config.playbooks)}`, ...signals].join("\n");
  });
  return `${head}${[guards(config), ...targets, ...describe("actions", config), ...playbooks(config)].join("\n")}\n`;
}

function guards(config: Config): string {
  const { guards: g } = config;
  const cap = ({ actions, windowMs }: typeof g.fleetCap) => `${actions} in ${windowMs / 1000} s`;
  const windows =
    g.maintenance.length === 0 ? "" : `; maintenance: ${g.maintenance.map((w) => w.name).join(", ")}`;
  const silences = g.silences.length === 0 ? "" : `; silences: ${g.silences.map((s) => s.id).join(", ")}`;
  const notified = describe("notify", config).join(", ") || "the log and the status page only";
  return `guards: at most ${cap(g.targetCap)} on a target, ${cap(g.fleetCap)} over all${windows}${silences}; escalations go to ${notified}`;
}

function playbooks(config: Config): string[] {
  const { alerts, regions } = config;
  const none = config.playbooks.length + config.inactivePlaybooks.length === 0;
  return [
    `playbooks: ${none ? "none" : `alerts are believed for ${alerts.staleMs / 1000} s, regions compared over ${regions.windowMs / 1000} s`}`,
    ...config.playbooks.map((p) => `  ${p.name}: ${answers(p)}: ${p.steps.map(shownStep).join(", then ")}`),
    ...config.inactivePlaybooks.map(({ name, why }) => `  ${name}: not active: ${why}`),
  ];
}

function answers({ alert, forecast }: Playbook): string {
  const labels = Object.entries(alert?.labels ?? {}).map(([name, text]) => `${name}=${JSON.stringify(text)}`);
  return [
    ...(alert === undefined
      ? []
      : [`alert ${alert.name}${labels.length > 0 ? `{${labels.join(",")}}` : ""}`]),
    ...(forecast === undefined ? [] : [`forecast of ${forecast.target}/${forecast.signal}`]),
  ].join(" or ");
}

function shownStep({ kind, on, expiresMs }: Playbook["steps"][number]): string {
  return `${kind} on ${on.name}${expiresMs === undefined ? "" : ` for ${expiresMs / 1000} s`}`;
}
