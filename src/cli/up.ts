import { fileURLToPath } from "node:url";
import { startUp } from "../app/up.ts";
import { parseListenAddress } from "../config/fields.ts";
import { type Command, stopped, UsageError } from "./command.ts";
import { configFileFlag, configFlags, configValues, describeFlags, type Flag, readFlags } from "./flags.ts";

const CONFIG = fileURLToPath(new URL("../../config/up.yml", import.meta.url));

const own: readonly Flag[] = [
  { ...configFileFlag, shownDefault: "config/up.yml" },
  {
    name: "product-api.listen-address",
    kind: "string",
    shownDefault: "127.0.0.1:8000",
    help: "address of product-api",
  },
  { name: "load.rate", kind: "number", shownDefault: "20", help: "requests a second of the load generator" },
];
/** Here the monitor listens on loopback only. */
const LISTEN = "127.0.0.1:9105";
const flags = [
  ...own,
  ...configFlags.map((f) => (f.name === "web.listen-address" ? { ...f, shownDefault: LISTEN } : f)),
];

export const upCommand: Command = {
  name: "up",
  help: () =>
    `helius up [flags]

Starts product-api, a load generator and the monitor on loopback, with a short cycle and no Prometheus.
Ctrl-C stops everything. What config/up.yml sets (a short cycle, for one) wins over the defaults below.

${describeFlags(flags)}`,
  async run({ args, env, stop }) {
    const { values } = readFlags(args, flags);
    const given = configValues(values);
    const terminal = process.stdout.isTTY === true;
    const format = values["log.format"] ?? (terminal ? "pretty" : "json");
    if (format !== "pretty" && format !== "json") throw new UsageError("--log.format must be json or pretty");
    const up = await startUp({
      config: {
        file: values["config.file"] ?? CONFIG,
        env: { ...env, PORT: undefined },
        flags: { "web.listen_address": LISTEN, ...given },
      },
      env,
      productApi: address(values["product-api.listen-address"] ?? "127.0.0.1:8000"),
      loadRate: rate(values["load.rate"] ?? "20"),
      dataDir: given.data_dir ?? (env.HELIUS_DATA_DIR || "./data"),
      format,
      colour: terminal && env.NO_COLOR === undefined,
      print: (line) => void process.stdout.write(`${line}\n`),
    });
    process.stdout.write(banner(up.monitorUrl, up.productApiUrl, up.logs, env.ADMIN_TOKEN || "secret"));
    await stopped(stop);
    process.stdout.write("\nstopping…\n");
    await up.close();
    process.stdout.write("stopped\n");
    return 0;
  },
};

function address(text: string): { host: string; port: number } {
  const parsed = parseListenAddress(text.startsWith(":") ? `127.0.0.1${text}` : text);
  if (parsed === undefined || parsed.port === 0)
    throw new UsageError(`--product-api.listen-address must be host:port, port 1 to 65535, not "${text}"`);
  return parsed;
}

function rate(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 1000))
    throw new UsageError(`--load.rate must be above 0 up to 1000, not "${text}"`);
  return value;
}

function banner(monitor: string, api: string, logs: readonly string[], token: string): string {
  const admin = `curl -X POST -H 'x-admin-token: ${token}'`;
  return `
  Helius is up.
    watch      ${monitor}/            (status page)
    metrics    ${monitor}/metrics   ${api}/metrics
    logs       ${logs.join("  ")}

  Make product-api drift towards its limit, and see it foreseen and healed (about half a minute):
    ${admin} '${api}/admin/fault?mode=latency&inc=3000&over=300'
  A step, a leak, errors:
    ${admin} '${api}/admin/fault?mode=latency&inc=4000'
    ${admin} '${api}/admin/fault?mode=leak&kb=600000&over=240'
    ${admin} '${api}/admin/fault?mode=error&ratio=0.4&over=60'
  Heal by hand:
    ${admin} '${api}/admin/mitigate'

  Ctrl-C stops everything.

`;
}
