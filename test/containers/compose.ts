import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";

/** Absolute path of a file of the repository. */
export function inRepository(path: string): string {
  return fileURLToPath(new URL(`../../${path}`, import.meta.url));
}

export function readRepository(path: string): string {
  return readFileSync(inRepository(path), "utf8");
}

export interface ComposeService {
  readonly image: string;
  readonly build?: { readonly context: string };
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly expose?: readonly string[];
  readonly volumes?: readonly string[];
  readonly secrets?: readonly string[];
  readonly tmpfs?: readonly string[];
  readonly cap_drop?: readonly string[];
  readonly cap_add?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly privileged?: boolean;
  readonly user?: string;
  readonly read_only?: boolean;
  readonly pids_limit?: number;
  readonly mem_limit?: string;
  readonly cpus?: number;
  readonly restart?: string;
  readonly networks: readonly string[] | Readonly<Record<string, { readonly aliases?: readonly string[] }>>;
  readonly stop_grace_period?: string;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly test: readonly string[]; readonly disable?: boolean };
}

export interface Compose {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly volumes: Readonly<Record<string, unknown>>;
  readonly networks: Readonly<Record<string, { readonly internal?: boolean }>>;
  readonly secrets: Readonly<Record<string, { readonly file: string }>>;
}

/** docker-compose.yml with `${NAME:-default}` filled in from `env`. */
export function readCompose(env: Readonly<Record<string, string>> = {}): Compose {
  const text = readRepository("docker-compose.yml").replaceAll(
    /\$\{(\w+)(?::-([^}]*))?\}/g,
    (_, name: string, fallback: string | undefined) => env[name] ?? fallback ?? "",
  );
  return parse(text, { merge: true }) as Compose;
}

/** Seconds of a compose duration such as `30s` or `1m`. */
export function durationSeconds(text: string): number {
  const match = /^(\d+)(s|m)$/.exec(text);
  if (match === null) throw new Error(`not a duration: ${text}`);
  return Number(match[1]) * (match[2] === "m" ? 60 : 1);
}

/** Names of a service on each of its networks, aliases included. */
function names(name: string, service: ComposeService): Map<string, string[]> {
  if (Array.isArray(service.networks))
    return new Map((service.networks as string[]).map((network) => [network, [name]]));
  return new Map(
    Object.entries(service.networks as Record<string, { aliases?: string[] }>).map(
      ([network, { aliases }]) => [network, [name, ...(aliases ?? [])]],
    ),
  );
}

/** `host:port` that a service (any: of the network `helius`) can reach: others on a network that they share. */
export function addresses(compose: Compose, from?: string): Set<string> {
  const caller = from === undefined ? undefined : compose.services[from];
  const own =
    from === undefined || caller === undefined ? new Set(["helius"]) : new Set(names(from, caller).keys());
  const found = new Set<string>();
  for (const [name, service] of Object.entries(compose.services)) {
    const ports = [...(service.ports ?? []).map((port) => port.split(":").at(-1)), ...(service.expose ?? [])];
    for (const [network, hosts] of names(name, service))
      if (own.has(network)) for (const host of hosts) for (const port of ports) found.add(`${host}:${port}`);
  }
  return found;
}

/** Where a path inside a container comes from: a file of the repository, or a volume. */
export function mounted(service: ComposeService | undefined, path: string): string | undefined {
  for (const volume of service?.volumes ?? []) {
    const [source = "", target = ""] = volume.split(":");
    if (path === target) return source;
    if (path.startsWith(`${target}/`)) return source + path.slice(target.length);
  }
  return undefined;
}
