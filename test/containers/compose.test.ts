import { existsSync } from "node:fs";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { DEVELOPMENT_TOKEN } from "../../src/common/security/tokens.ts";
import { bindings, DEFAULT_TARGET_BASE } from "../../src/monitor/config/bindings.ts";
import { loadConfig } from "../../src/monitor/config/load.ts";
import { services as heliusServices } from "../../src/services/registry.ts";
import { addresses, type ComposeService, inRepository, readCompose, readRepository } from "./compose.ts";
import { composeFile } from "./compose-file.ts";
import { copies, environment, execForm, isIgnored, lastStage, only, parseDockerfile } from "./dockerfile.ts";

const compose = readCompose();
const services = Object.entries(compose.services);
const own = services.filter(([, service]) => service.build?.context === ".");
/** What ends by itself: nobody asks it anything. */
const oneShot = new Set(["recommender-training"]);
const lasting = services.filter(([name]) => !oneShot.has(name));
const dockerfile = parseDockerfile(readRepository("Dockerfile"));
const image = lastStage(dockerfile);
const manifest = JSON.parse(readRepository("package.json")) as {
  version: string;
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
};

test("compose starts every service, the monitor, and what they stand on and are watched by", () => {
  expect(services.map(([name]) => name).sort()).toEqual(
    [
      ...heliusServices.keys(),
      ...["predictive-monitor", "recommender-training"],
      ...["mosquitto", "nats", "postgres", "s3", "mlflow-tracker"],
      ...["prometheus", "alertmanager", "loki", "alloy", "grafana"],
    ].sort(),
  );
});

test("the file has only keys of the Compose specification, each of its type", () => {
  expect(composeFile.safeParse(compose).error?.issues).toBeUndefined();
  const wrong = structuredClone(compose) as unknown as { services: Record<string, Record<string, unknown>> };
  wrong.services.loki = { ...wrong.services.loki, mem_limt: "1g" };
  expect(composeFile.safeParse(wrong).success).toBe(false);
});

test.each(services)("%s is hardened", (_name, service: ComposeService) => {
  expect(service.read_only).toBe(true);
  expect(service.cap_drop).toEqual(["ALL"]);
  expect(service.cap_add).toBeUndefined();
  expect(service.privileged).toBeUndefined();
  // Images with a user of their own need none here; never root.
  expect(service.user ?? "1:1").toMatch(/^[1-9]\d*:[1-9]\d*$/);
  expect(service.security_opt).toContain("no-new-privileges:true");
  expect(service.tmpfs?.[0]).toMatch(/^\/tmp:size=/);
  expect(service.pids_limit).toBeGreaterThan(0);
  expect(service.mem_limit).toMatch(/^\d+[mg]$/);
  expect(service.cpus).toBeGreaterThan(0);
  expect(JSON.stringify(service.volumes ?? [])).not.toContain("docker.sock");
});

test.each(services)("%s has a pinned image and publishes on loopback only", (_name, service) => {
  expect(service.image).toMatch(/:v?\d+\.\d+(\.\d+)?(-alpine)?$/);
  for (const port of service.ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:(\d+):\1$/);
});

test.each(lasting)("%s has a health check, a port and is started again when it ends", (_name, service) => {
  expect(service.healthcheck?.test[0]).toBe("CMD");
  expect((service.ports ?? service.expose)?.length).toBeGreaterThan(0);
  expect(service.restart).toBe("unless-stopped");
});

test("no two programs publish the same port, and what asks no password is published to nobody", () => {
  const published = services.flatMap(([, s]) => (s.ports ?? []).map((p) => p.split(":")[1]));
  expect(new Set(published).size).toBe(published.length);
  for (const name of ["nats", "postgres", "s3", "loki", "alloy"])
    expect(compose.services[name]?.ports, name).toBeUndefined();
  for (const name of ["nats", "postgres", "s3"]) {
    const networks = compose.services[name]?.networks as readonly string[];
    for (const network of networks) expect(compose.networks[network]?.internal, name).toBe(true);
  }
});

test("what ends by itself is tried again until it succeeds, and nobody waits for it", () => {
  for (const name of oneShot) {
    expect(compose.services[name]?.restart).toBe("on-failure");
    expect(compose.services[name]?.healthcheck?.disable).toBe(true);
    for (const [, service] of services) expect(Object.keys(service.depends_on ?? {})).not.toContain(name);
  }
});

test.each(services)("%s waits for healthy services that exist", (name, service) => {
  for (const [dependency, { condition }] of Object.entries(service.depends_on ?? {})) {
    expect(condition, `${name} on ${dependency}`).toBe("service_healthy");
    expect(compose.services[dependency]?.healthcheck).toBeDefined();
  }
});

test.each(services)(
  "%s mounts files that exist, read-only, and writes to named volumes only",
  (_name, service) => {
    for (const volume of service.volumes ?? []) {
      const [source = "", , mode] = volume.split(":");
      if (source.startsWith("./")) {
        expect(existsSync(inRepository(source)), source).toBe(true);
        expect(mode).toBe("ro");
      } else expect(Object.keys(compose.volumes)).toContain(source);
    }
  },
);

test("no two services share a writable volume but the logs, each with a file of its own", () => {
  const named = services.flatMap(([, s]) =>
    (s.volumes ?? []).filter((v) => !v.startsWith("./")).map((v) => v.split(":")[0]),
  );
  const alone = named.filter((v) => v !== "logs");
  expect(new Set(alone).size).toBe(alone.length);
  expect([...new Set(named)].sort()).toEqual(Object.keys(compose.volumes).sort());
  const files = services.flatMap(([, s]) => s.environment?.LOG_FILE ?? []);
  expect(new Set(files).size).toBe(files.length);
  for (const [name, service] of own) {
    if (oneShot.has(name)) continue;
    expect(service.environment?.LOG_FILE).toBe(`/logs/${name}.log`);
    expect(service.volumes).toContain("logs:/logs");
  }
});

test("every address that a service is given is one that it can reach", () => {
  let checked = 0;
  for (const [name, service] of services)
    for (const [variable, value] of Object.entries(service.environment ?? {})) {
      const host = /^(?:http|mqtt|nats):\/\/([^/]+)|^\w+@([\w.-]+:\d+)\//
        .exec(String(value))
        ?.slice(1)
        .find(Boolean);
      if (host === undefined) continue;
      expect([...addresses(compose, name)], `${variable} of ${name}`).toContain(host);
      checked += 1;
    }
  expect(checked).toBeGreaterThan(8);
  // Only those who use the queues and stores can.
  expect([...addresses(compose, "product-api")]).not.toContain("nats:4222");
  expect([...addresses(compose, "prometheus")]).not.toContain("postgres:5432");
});

test("what the configuration and Prometheus ask for is there under that name and port", () => {
  const reachable = addresses(compose);
  const config = loadConfig({ file: inRepository("config/helius.yml"), env: {}, flags: {} });
  const scraped = prometheusTargets();
  expect([...addresses(compose, "predictive-monitor")]).toContain(
    new URL(config.sources.prometheus.url).host,
  );
  for (const target of config.targets)
    for (const instance of target.instances) {
      expect([...reachable]).toContain(instance.name);
      // The monitor matches series by job, and calls the instance that Prometheus scrapes.
      expect(scraped.get(target.job)).toContain(instance.name);
    }
  for (const target of [...[...scraped.values()].flat(), ...alertmanagers()])
    if (!target.startsWith("127.0.0.1:")) expect([...reachable]).toContain(target);
  expect(compose.services["predictive-monitor"]?.ports).toEqual([
    `127.0.0.1:${config.web.port}:${config.web.port}`,
  ]);
});

test("the contract's defaults hold without a configuration file", () => {
  const reachable = [...addresses(compose)];
  const config = loadConfig({ file: undefined, env: {}, flags: {} });
  expect(reachable).toContain(new URL(config.sources.prometheus.url).host);
  expect(reachable).toContain(new URL(DEFAULT_TARGET_BASE).host);
});

/** Variables of the services, from the table that the documents are held to. */
function documentedVariables(): string[] {
  const text = readRepository("docs/configuration.md");
  const table = text.slice(text.indexOf("\n## Services"), text.indexOf("\n## Constants"));
  return table
    .split("\n")
    .flatMap((line) => [...(line.split("|")[1] ?? "").matchAll(/`([A-Z_]+)`/g)].map((m) => m[1] as string));
}

test("every variable that compose sets is read, and the token is the same on both sides", () => {
  const known = new Set([
    ...bindings.flatMap((b) => (b.env === undefined ? [] : [b.env])),
    "NODE_ENV",
    ...documentedVariables(),
  ]);
  for (const [name, service] of own) {
    for (const variable of Object.keys(service.environment ?? {})) expect(known, name).toContain(variable);
    if (oneShot.has(name)) continue;
    expect(service.secrets).toEqual(
      name === "predictive-monitor" ? ["admin_token", "web_token"] : ["admin_token"],
    );
    expect(service.environment?.ADMIN_TOKEN_FILE).toBe("/run/secrets/admin_token");
    const chosen = readCompose({ NODE_ENV: "production" }).services[name];
    expect(chosen?.environment).toMatchObject({ NODE_ENV: "production" });
  }
  // The development ones are refused in production, whichever file they come from.
  for (const name of ["admin_token", "web_token"])
    expect(readRepository(compose.secrets[name]?.file ?? "").trim()).toBe(DEVELOPMENT_TOKEN);
});

test("Alertmanager holds the token that it presents to the monitor, and no admin token", () => {
  const { alertmanager, "predictive-monitor": monitor } = compose.services;
  expect(alertmanager?.secrets).toEqual(["web_token"]);
  expect(monitor?.environment?.WEB_TOKEN_FILE).toBe("/run/secrets/web_token");
  const config = readRepository("alertmanager/alertmanager.yml");
  expect(config).toContain("credentials_file: /run/secrets/web_token");
  expect(config).not.toContain("admin_token");
});

test("secrets are files that exist, are given to those who name them, and come from elsewhere on demand", () => {
  const elsewhere = readCompose({ HELIUS_SECRETS_DIR: "/etc/helius" });
  for (const [name, { file }] of Object.entries(compose.secrets)) {
    expect(existsSync(inRepository(file)), file).toBe(true);
    expect(elsewhere.secrets[name]?.file).toBe(`/etc/helius/${name}`);
    expect(services.some(([, s]) => s.secrets?.includes(name))).toBe(true);
  }
  for (const [name, service] of services) {
    const named = [
      ...JSON.stringify([service.environment, service.command]).matchAll(/\/run\/secrets\/(\w+)/g),
    ];
    for (const [, secret] of named) expect(service.secrets, name).toContain(secret);
    // A secret is a file, never a value that `docker inspect` shows.
    for (const [variable, value] of Object.entries(service.environment ?? {}))
      if (/PASSWORD|TOKEN|SECRET/.test(variable))
        expect(value, `${variable} of ${name}`).toMatch(/^\/run\/secrets\//);
  }
});

test.each(own)("%s is built from the Dockerfile with the version of package.json", (_name, service) => {
  expect(service.build?.context).toBe(".");
  expect(service.image.split(":")[1]).toBe(manifest.version);
});

test("the image stands on the Node version that development uses, in every stage", () => {
  const bases = dockerfile.filter((i) => i.keyword === "FROM").map((i) => i.args.split(" ")[0]);
  expect(bases.length).toBeGreaterThan(1);
  for (const base of bases) expect(base).toBe(`node:${manifest.devDependencies.node}-bookworm-slim`);
});

test("the image installs locked production dependencies and runs no install script", () => {
  const install = dockerfile.filter((i) => i.keyword === "RUN" && i.args.includes("npm"));
  expect(install.map((i) => i.args)).toEqual(["npm ci --omit=dev --ignore-scripts"]);
  const locked = JSON.parse(readRepository("package-lock.json")) as {
    packages: Record<string, { dev?: boolean; hasInstallScript?: boolean }>;
  };
  const scripted = Object.entries(locked.packages).filter(
    ([, p]) => p.hasInstallScript === true && p.dev !== true,
  );
  expect(scripted.map(([name]) => name)).toEqual([]);
});

test("the image runs as an ordinary user, in exec form, with a health check and fixed labels", () => {
  expect(only(image, "USER")).toMatch(/^[1-9]\d*:[1-9]\d*$/);
  expect(execForm(only(image, "ENTRYPOINT"))).toEqual(["node", "src/main.ts"]);
  expect(execForm(only(image, "CMD"))).toEqual(["monitor", "--web.listen-address=:9105"]);
  expect(only(image, "HEALTHCHECK")).toMatch(/--interval=\d+s .*CMD \["node", /);
  expect(only(image, "LABEL")).toContain("org.opencontainers.image.licenses");
  expect(only(image, "WORKDIR")).toBe("/app");
  expect(image.some((i) => i.keyword === "ARG" && i.args === `VERSION=${manifest.version}`)).toBe(true);
  expect(environment(image)).toMatchObject({ NODE_ENV: "production", HELIUS_DATA_DIR: "/data" });
  // The data folder belongs to the user before it is switched to.
  const prepared = image.findIndex(
    (i) => i.keyword === "RUN" && i.args === "mkdir /data /logs && chown 1000:1000 /data /logs",
  );
  expect(prepared).toBeGreaterThan(-1);
  expect(only(image, "USER")).toBe("1000:1000");
});

test("the image exposes the ports of the monitor and of every service", () => {
  const exposed = only(image, "EXPOSE").split(" ").map(Number).sort();
  const config = loadConfig({ file: undefined, env: {}, flags: {} });
  expect(exposed).toEqual(
    [...[...heliusServices.values()].map((s) => s.defaultPort), config.web.port].sort(),
  );
});

test("what the Dockerfile copies exists and reaches the build; tests and secrets do not", () => {
  const ignore = readRepository(".dockerignore");
  for (const { from } of copies(dockerfile)) {
    expect(existsSync(inRepository(from)), from).toBe(true);
    expect(isIgnored(ignore, from), from).toBe(false);
  }
  for (const path of [
    ".env",
    ".git/config",
    "data/monitor.db",
    "node_modules/pino/package.json",
    "src/monitor/config/load.test.ts",
    "src/services/kit/kit.testkit.ts",
    "src/lab/bench/main.ts",
    "src/cli/drill.ts",
  ])
    expect(isIgnored(ignore, path), path).toBe(true);
  expect(isIgnored(ignore, "src/monitor/config/load.ts")).toBe(false);
});

test("Alertmanager reaches the monitor with the token that the services are given", () => {
  const { receivers } = parse(readRepository("alertmanager/alertmanager.yml")) as {
    receivers: { name: string; webhook_configs?: { url: string; http_config: Authorized }[] }[];
  };
  const [webhook] = receivers.find((r) => r.name === "predictive-monitor")?.webhook_configs ?? [];
  expect([...addresses(compose)]).toContain(new URL(webhook?.url ?? "").host);
  const file = webhook?.http_config.authorization.credentials_file;
  expect(compose.services.alertmanager?.secrets?.map((s) => `/run/secrets/${s}`)).toEqual([file]);
});

interface Authorized {
  readonly authorization: { readonly credentials_file: string };
}

/** Where prometheus.yml sends its alerts. */
function alertmanagers(): string[] {
  const { alerting } = parse(readRepository("prometheus/prometheus.yml")) as {
    alerting: { alertmanagers: { static_configs: { targets: string[] }[] }[] };
  };
  return alerting.alertmanagers.flatMap((a) => a.static_configs.flatMap((c) => c.targets));
}

/** Targets of prometheus.yml by job. */
function prometheusTargets(): Map<string, string[]> {
  const config = parse(readRepository("prometheus/prometheus.yml")) as {
    scrape_configs: { job_name: string; static_configs: { targets: string[] }[] }[];
  };
  return new Map(config.scrape_configs.map((s) => [s.job_name, s.static_configs.flatMap((c) => c.targets)]));
}
