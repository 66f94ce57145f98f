import { loadConfig } from "../config/load.ts";
import type { Config } from "../config/types.ts";
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
cycle ${config.cycleMs / 1000} s, horizon ${p.horizonS} s, ${config.autoHeal ? "acting" : "shadow mode"}
sources: ${config.sources.order.join(", then ")}; rates over ${config.sources.rateWindowMs / 1000} s
`;
  const targets = config.targets.map((t) => {
    const own = `target ${t.name} (job ${t.job}, ${t.instances.map((i) => i.url).join(", ")}; ${t.aggregate}; cooldown ${t.cooldownMs / 1000} s${t.autoHeal ? "" : "; shadow"})`;
    const signals = t.signals.map(
      ({ name, unit, thresholds: x }) =>
        `  ${name.padEnd(12)} exit ${x.exit}  slo ${x.slo}  limit ${x.limit}  ${unit}`,
    );
    return [own, ...signals].join("\n");
  });
  return `${head}${targets.join("\n")}\n`;
}
