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
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
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
  readonly networks: readonly string[] | Readonly<Record<string, { readonly aliases?: readonly string[] }>>;
  readonly stop_grace_period?: string;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly test: readonly string[] };
}

export interface Compose {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly volumes: Readonly<Record<string, unknown>>;
  readonly networks: Readonly<Record<string, unknown>>;
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

/** `host:port` under which each service is reached on the compose network, aliases included. */
export function addresses(compose: Compose): Set<string> {
  const found = new Set<string>();
  for (const [name, service] of Object.entries(compose.services)) {
    const aliases = Array.isArray(service.networks)
      ? []
      : Object.values(service.networks as Record<string, { aliases?: string[] }>).flatMap(
          (n) => n.aliases ?? [],
        );
    for (const port of service.ports ?? [])
      for (const host of [name, ...aliases]) found.add(`${host}:${port.split(":").at(-1)}`);
  }
  return found;
}
