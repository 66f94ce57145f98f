import { isLoopback } from "../../common/security/addresses.ts";
import { DEVELOPMENT_TOKEN, weakness } from "../../common/security/tokens.ts";
import {
  LOG_FILE_MAX_BYTES,
  LOG_FORMATS,
  LOG_LEVELS,
  type LogFormat,
  type LogLevel,
} from "../../common/telemetry/logger.ts";
import type { AdminReach } from "./admin-access.ts";
import { ServiceConfigError } from "./errors.ts";

export type Env = Readonly<Record<string, string | undefined>>;

/** Flags of `helius service`, without their dashes: `web.listen-address`, `log.level`, `log.format`. */
export type Flags = Readonly<Record<string, string | undefined>>;

/** Where the tokens come from: given, or a file that may change. */
type TokenSetting =
  | { readonly kind: "given"; readonly token: string }
  | { readonly kind: "file"; readonly file: string };

export interface ServiceSettings {
  readonly host: string;
  readonly port: number;
  readonly tokens: TokenSetting;
  readonly adminReach: AdminReach;
  /** Further names that the admin plane is called by. */
  readonly adminHosts: readonly string[];
  /** Refuses the development token, and short ones. */
  readonly production: boolean;
  /** Other machines can call the admin plane, and are not said to be trusted. */
  readonly exposed: boolean;
  readonly dataDir: string;
  readonly logFile: string | undefined;
  /** Bytes of the log file before it is put aside; 0: never. */
  readonly logFileMaxBytes: number;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  readonly faultInjection: boolean;
  readonly region: string | undefined;
}

/**
 * Settings of a service; a flag wins over the environment, the environment over the default. An empty variable counts
 * as absent. Throws `ServiceConfigError` naming the variable or flag and what would be right.
 */
export function readServiceSettings(input: {
  readonly env: Env;
  readonly flags: Flags;
  readonly defaultPort: number;
}): ServiceSettings {
  const { env, flags, defaultPort } = input;
  const production = env.NODE_ENV === "production";
  const flag = flags["web.listen-address"];
  const listen = flag === undefined ? undefined : listenAddress("--web.listen-address", flag);
  const host = listen?.host ?? "0.0.0.0";
  const port = listen?.port ?? portOf("PORT", env.PORT || String(defaultPort));
  const reach = adminReach(env.ADMIN_LISTEN_ADDRESS || undefined, { host, port });
  const open = reach.kind === "public" ? host : reach.kind === "own" ? reach.host : "localhost";
  const exposed = !isLoopback(open) && !switchOf("TRUSTED_NETWORK", env.TRUSTED_NETWORK, false);
  return {
    host,
    port,
    adminReach: reach,
    adminHosts: namesOf(env.ADMIN_ALLOWED_HOSTS),
    production,
    exposed,
    tokens: tokenSetting(env, { production, exposed }),
    dataDir: env.HELIUS_DATA_DIR || "./data",
    logFile: env.LOG_FILE || undefined,
    logFileMaxBytes: bytesOf("LOG_FILE_MAX_BYTES", env.LOG_FILE_MAX_BYTES || String(LOG_FILE_MAX_BYTES)),
    logLevel: oneOf("--log.level", flags["log.level"] ?? "info", LOG_LEVELS),
    logFormat: oneOf("--log.format", flags["log.format"] ?? "json", LOG_FORMATS),
    faultInjection: switchOf("FAULT_INJECTION", env.FAULT_INJECTION, !production),
    region: regionOf(env.HELIUS_REGION),
  };
}

/** Names with commas between them. */
export function namesOf(text: string | undefined): readonly string[] {
  return (text ?? "").split(",").flatMap((name) => name.trim() || []);
}

interface Address {
  readonly host: string;
  readonly port: number;
}

function listenAddress(origin: string, text: string): Address {
  const parts = /^(?<host>\[[0-9a-fA-F:.]+\]|[^:[\]\s]*):(?<port>[^:]+)$/.exec(text)?.groups;
  if (parts === undefined) {
    throw new ServiceConfigError(
      `${origin} is ${JSON.stringify(text)}: expected HOST:PORT or :PORT, e.g. 127.0.0.1:8000`,
    );
  }
  const host = (parts.host ?? "").replace(/^\[|\]$/g, "");
  return { host: host === "" ? "0.0.0.0" : host, port: portOf(origin, parts.port ?? "") };
}

const ANY_HOST = ["0.0.0.0", "::"];

/**
 * With another port than the public one: a listener of its own. A host alone, or with the public port: whom that host
 * lets in, on the public listener.
 */
function adminReach(text: string | undefined, open: Address): AdminReach {
  if (text === undefined) return { kind: "local" };
  const alone = /^(?:[^:[\]\s]+|\[[0-9a-fA-F:.]+\])$/.test(text) && !/^\d+$/.test(text);
  const wanted = listenAddress("ADMIN_LISTEN_ADDRESS", alone ? `${text}:${open.port}` : text);
  if (!alone && (wanted.port !== open.port || wanted.port === 0)) return { kind: "own", ...wanted };
  if (isLoopback(wanted.host)) return { kind: "local" };
  if (wanted.host === open.host || ANY_HOST.includes(wanted.host)) return { kind: "public" };
  throw new ServiceConfigError(
    `ADMIN_LISTEN_ADDRESS is ${JSON.stringify(text)}, on the public port ${open.port}: expected the host ${open.host}, 0.0.0.0 or 127.0.0.1, or HOST:PORT with another port`,
  );
}

function portOf(origin: string, text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (port <= 65_535) return port;
  throw new ServiceConfigError(
    `${origin} has port ${JSON.stringify(text)}: expected a whole number, 0 <= port <= 65535`,
  );
}

function bytesOf(origin: string, text: string): number {
  const bytes = /^\d{1,13}$/.test(text) ? Number(text) : Number.NaN;
  if (bytes <= 2 ** 40) return bytes;
  throw new ServiceConfigError(
    `${origin} is ${JSON.stringify(text)}: expected a whole number of bytes, 0 (no limit) to 2^40`,
  );
}

function tokenSetting(env: Env, use: { production: boolean; exposed: boolean }): TokenSetting {
  const file = env.ADMIN_TOKEN_FILE || undefined;
  const token = env.ADMIN_TOKEN || undefined;
  if (file !== undefined && token !== undefined) {
    throw new ServiceConfigError("ADMIN_TOKEN and ADMIN_TOKEN_FILE are both set: expected one of them");
  }
  if (file !== undefined) return { kind: "file", file };
  if (use.production && (token === undefined || token === DEVELOPMENT_TOKEN)) {
    throw new ServiceConfigError(
      "ADMIN_TOKEN is not set or is the development default while NODE_ENV=production: expected a secret of your own, in ADMIN_TOKEN or in the file ADMIN_TOKEN_FILE names",
    );
  }
  const given = token ?? DEVELOPMENT_TOKEN;
  const weak = weakness(given, use);
  if (weak !== undefined)
    throw new ServiceConfigError(
      `ADMIN_TOKEN: ${weak}, in ADMIN_TOKEN or in the file ADMIN_TOKEN_FILE names${use.production ? "" : "; or TRUSTED_NETWORK=1 where nobody else gets there"}`,
    );
  return { kind: "given", token: given };
}

function switchOf(name: string, text: string | undefined, fallback: boolean): boolean {
  if (text === undefined || text === "") return fallback;
  if (["1", "true", "on"].includes(text)) return true;
  if (["0", "false", "off"].includes(text)) return false;
  throw new ServiceConfigError(`${name} is ${JSON.stringify(text)}: expected 1 or 0`);
}

function regionOf(text: string | undefined): string | undefined {
  if (text === undefined || text === "") return undefined;
  if (/^[a-z]{2}-[a-z]+-\d$/.test(text)) return text;
  throw new ServiceConfigError(
    `HELIUS_REGION is ${JSON.stringify(text)}: expected a region such as us-east-1`,
  );
}

function oneOf<T extends string>(origin: string, text: string, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === text);
  if (found !== undefined) return found;
  throw new ServiceConfigError(`${origin} is ${JSON.stringify(text)}: expected one of ${choices.join(", ")}`);
}
