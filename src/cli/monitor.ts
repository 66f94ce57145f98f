import { existsSync } from "node:fs";
import { startMonitor } from "../monitor/app/monitor.ts";
import { type Command, stopped } from "./command.ts";
import { configFileFlag, configFlags, configValues, describeFlags, readFlags } from "./flags.ts";

const flags = [configFileFlag, ...configFlags];
const DEFAULT_FILE = "config/helius.yml";

export const monitorCommand: Command = {
  name: "monitor",
  help: () =>
    `helius monitor [flags]

Runs the monitor until SIGINT or SIGTERM. SIGHUP reloads the configuration and opens the log file again.
A flag wins over its environment variable, that over the file, that over the default.
TARGET_SERVICE_BASE replaces the file's targets by a single one.

${describeFlags(flags)}`,
  async run({ args, env, stop, onReload }) {
    const { values } = readFlags(args, flags);
    const file = values["config.file"] ?? (existsSync(DEFAULT_FILE) ? DEFAULT_FILE : undefined);
    const monitor = await startMonitor({ input: { file, env, flags: configValues(values) } });
    onReload(() => {
      monitor.reopenLog();
      void monitor.reload();
    });
    await stopped(stop);
    await monitor.close();
    return 0;
  },
};
