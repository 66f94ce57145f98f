import { services, startServiceFromEnv } from "../services/registry.ts";
import { type Command, stopped, UsageError } from "./command.ts";
import { describeFlags, type Flag, readFlags } from "./flags.ts";

const flags: readonly Flag[] = [
  {
    name: "web.listen-address",
    kind: "string",
    shownDefault: "0.0.0.0 and $PORT, else the service's own port",
    help: "host:port or :port to listen on",
  },
  { name: "log.level", kind: "string", shownDefault: "info", help: "debug, info, warn or error" },
  { name: "log.format", kind: "string", shownDefault: "json", help: "json or pretty" },
];

const names = [...services.keys()];

export const serviceCommand: Command = {
  name: "service",
  help: () =>
    `helius service NAME [flags]

Runs one service until SIGINT or SIGTERM. SIGHUP opens the log file again. NAME is one of: ${names.join(", ")}.
Environment: PORT, ADMIN_TOKEN or ADMIN_TOKEN_FILE, ADMIN_LISTEN_ADDRESS, HELIUS_DATA_DIR, LOG_FILE, FAULT_INJECTION (1 or 0).

${describeFlags(flags)}`,
  async run({ args, env, stop, onReload }) {
    const { values, positionals } = readFlags(args, flags, 1);
    const name = positionals[0];
    if (name === undefined) throw new UsageError(`name a service: ${names.join(", ")}`);
    if (!services.has(name)) throw new UsageError(`no service "${name}"; there is: ${names.join(", ")}`);
    const service = await startServiceFromEnv(name, env, values);
    onReload(() => service.reopenLog());
    await stopped(stop);
    await service.close();
    return 0;
  },
};
