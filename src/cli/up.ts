import { fileURLToPath } from "node:url";
import { DEVELOPMENT_TOKEN } from "../common/security/tokens.ts";
import { parseListenAddress } from "../common/settings/fields.ts";
import { type Address, PLATFORM } from "../services/platform/platform.ts";
import { type Command, stopped, UsageError } from "./command.ts";
import { configFileFlag, configFlags, configValues, describeFlags, type Flag, readFlags } from "./flags.ts";
import { type RunningUp, startUp } from "./stand.ts";

const CONFIG = fileURLToPath(new URL("../../config/up.yml", import.meta.url));

const own: readonly Flag[] = [
  { ...configFileFlag, shownDefault: "config/up.yml" },
  {
    name: "services",
    kind: "list",
    shownDefault: "all",
    help: `services to start: ${PLATFORM.map((s) => s.name).join(", ")}`,
  },
  ...PLATFORM.map(
    ({ name, port }): Flag => ({
      name: `${name}.listen-address`,
      kind: "string",
      shownDefault: `127.0.0.1:${port}`,
      help: `address of ${name}`,
    }),
  ),
  { name: "mqtt.port", kind: "number", shownDefault: "1883", help: "port for devices that speak MQTT" },
  {
    name: "load.rate",
    kind: "number",
    shownDefault: "20",
    help: "requests a second of the simulated customers",
  },
  {
    name: "devices.rate",
    kind: "number",
    shownDefault: "20",
    help: "messages a second of the simulated devices",
  },
];
const LISTEN = "127.0.0.1:9105";
const flags = [...own, ...configFlags];

export const upCommand: Command = {
  name: "up",
  help: () =>
    `helius up [flags]

Starts the Helius services, load that looks like customers and devices, and the monitor on loopback, with a short cycle
and no Prometheus, broker or NATS.
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
      addresses: addresses(values),
      mqttPort: port(values["mqtt.port"] ?? "1883"),
      loadRate: rate("load.rate", values["load.rate"] ?? "20"),
      deviceRate: rate("devices.rate", values["devices.rate"] ?? "20"),
      dataDir: given.data_dir ?? (env.HELIUS_DATA_DIR || "./data"),
      format,
      colour: terminal && env.NO_COLOR === undefined,
      print: (line) => void process.stdout.write(`${line}\n`),
    });
    process.stdout.write(banner(up, tokenInShell(env)));
    await stopped(stop);
    process.stdout.write("\nstopping…\n");
    await up.close();
    process.stdout.write("stopped\n");
    return 0;
  },
};

/** The services to start, each with its address. */
function addresses(values: Readonly<Record<string, string>>): ReadonlyMap<string, Address> {
  const known = PLATFORM.map((s) => s.name);
  const wanted =
    values.services === undefined ? known : values.services.split(",").map((name) => name.trim());
  for (const name of wanted)
    if (!known.includes(name))
      throw new UsageError(`--services: there is no "${name}"; there is: ${known.join(", ")}`);
  return new Map(
    PLATFORM.filter((s) => wanted.includes(s.name)).map(({ name, port }) => {
      const flag = `${name}.listen-address`;
      return [name, address(flag, values[flag] ?? `127.0.0.1:${port}`)];
    }),
  );
}

function address(flag: string, text: string): Address {
  const parsed = parseListenAddress(text.startsWith(":") ? `127.0.0.1${text}` : text);
  if (parsed === undefined || parsed.port === 0)
    throw new UsageError(`--${flag} must be host:port, port 1 to 65535, not "${text}"`);
  return parsed;
}

function port(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0 || value > 65_535)
    throw new UsageError(`--mqtt.port must be a whole number, 0 to 65535, not "${text}"`);
  return value;
}

function rate(flag: string, text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 1000))
    throw new UsageError(`--${flag} must be above 0 up to 1000, not "${text}"`);
  return value;
}

/** How a shell names the token, so that it stands in no terminal and no history. */
function tokenInShell(env: Readonly<Record<string, string | undefined>>): string {
  if (env.ADMIN_TOKEN_FILE) return '"x-admin-token: $(head -n 1 "$ADMIN_TOKEN_FILE")"';
  return env.ADMIN_TOKEN ? '"x-admin-token: $ADMIN_TOKEN"' : `'x-admin-token: ${DEVELOPMENT_TOKEN}'`;
}

function banner(up: RunningUp, header: string): string {
  const admin = `curl -X POST -H ${header}`;
  const started = [...up.urls].map(([name, url]) => `    ${name.padEnd(25)}${url}`).join("\n");
  const api = up.urls.get("product-api");
  const attempts =
    api === undefined
      ? ""
      : `
  Make product-api drift towards its limit, and see it forecast and healed (about half a minute):
    ${admin} '${api}/admin/fault?mode=latency&inc=3000&over=300'
  A step, a leak, errors:
    ${admin} '${api}/admin/fault?mode=latency&inc=4000'
    ${admin} '${api}/admin/fault?mode=leak&kb=600000&over=240'
    ${admin} '${api}/admin/fault?mode=error&ratio=0.4&over=60'
  Heal by hand:
    ${admin} '${api}/admin/mitigate'
  A page that stays whole when what it asks is sick:
    curl '${api}/products/7/page?history=1,2'
`;
  return `
  Helius is up.
    watch      ${up.monitorUrl}/            (status page)
    metrics    ${up.monitorUrl}/metrics, and /metrics of every service
    logs       ${up.logDir}
${started}
${attempts}
  Ctrl-C stops everything.

`;
}
