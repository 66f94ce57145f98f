import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { freePort, waitFor } from "../setup/ports.ts";
import { durationSeconds, inRepository, readCompose, readRepository } from "./compose.ts";
import { copies, environment, execForm, isIgnored, lastStage, only, parseDockerfile } from "./dockerfile.ts";

// No container engine is needed: the folder that the image would hold is laid out from the Dockerfile's own COPY
// lines, and the very command lines of the image and of compose are started in it, on other ports and data folders.

const compose = readCompose();
const dockerfile = parseDockerfile(readRepository("Dockerfile"));
const image = lastStage(dockerfile);
const entrypoint = execForm(only(image, "ENTRYPOINT"));
const children: ChildProcess[] = [];
let folder = "";
let app = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "helius-image-"));
  app = join(folder, "app");
  mkdirSync(app);
  const ignore = readRepository(".dockerignore");
  for (const { from, to } of copies(image)) {
    mkdirSync(dirname(resolve(app, to)), { recursive: true });
    cpSync(inRepository(from), resolve(app, to), {
      recursive: true,
      filter: (source) => !isIgnored(ignore, relative(inRepository("."), source)),
    });
  }
  symlinkSync(inRepository("node_modules"), join(app, "node_modules"));
});

afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  }
  rmSync(folder, { recursive: true, force: true });
});

interface Started {
  readonly child: ChildProcess;
  readonly output: () => string;
}

/** Starts words as a container would: in the image's folder, with the image's and the given environment only. */
function start(words: readonly string[], env: Readonly<Record<string, string>>): Started {
  const [program, ...args] = words;
  expect(program).toBe("node");
  const child = spawn(process.execPath, args, { cwd: app, env: { ...environment(image), ...env } });
  children.push(child);
  let text = "";
  for (const stream of [child.stdout, child.stderr])
    stream?.on("data", (chunk: Buffer) => {
      text += chunk.toString();
    });
  return { child, output: () => text };
}

async function exitCode({ child }: Started): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  return child.exitCode;
}

/** Runs a health check until it says well, or gives up. */
async function becomesHealthy(words: readonly string[], what: Started): Promise<void> {
  await waitFor(
    async () => {
      if (what.child.exitCode !== null)
        throw new Error(`ended with ${what.child.exitCode}: ${what.output()}`);
      return (await exitCode(start(words, {}))) === 0;
    },
    { what: `${words.join(" ")} to succeed`, timeoutMs: 30_000, everyMs: 200 },
  );
}

/** The words of a service's health check, on another port. */
function healthcheck(service: string, port: number): string[] {
  const [kind, ...words] = compose.services[service]?.healthcheck?.test ?? [];
  expect(kind).toBe("CMD");
  return words.map((word) => word.replace(/(?<=127\.0\.0\.1:)\d+/, String(port)));
}

function commandOf(service: string): string[] {
  return [...entrypoint, ...(compose.services[service]?.command ?? [])];
}

test("the commands of compose start, become healthy, find each other and stop in time", async () => {
  const apiPort = await freePort();
  const monitorPort = await freePort();
  const api = start([...commandOf("product-api"), `--web.listen-address=127.0.0.1:${apiPort}`], {
    ...compose.services["product-api"]?.environment,
    HELIUS_DATA_DIR: join(folder, "api-data"),
  });
  await becomesHealthy(healthcheck("product-api", apiPort), api);
  const monitor = start(
    [...commandOf("predictive-monitor"), `--web.listen-address=127.0.0.1:${monitorPort}`],
    {
      ...compose.services["predictive-monitor"]?.environment,
      HELIUS_DATA_DIR: join(folder, "monitor-data"),
      TARGET_SERVICE_BASE: `http://127.0.0.1:${apiPort}`,
      PROM_URL: `http://127.0.0.1:${await freePort()}`,
    },
  );
  await becomesHealthy(healthcheck("predictive-monitor", monitorPort), monitor);
  const seen = await waitFor(
    async () => {
      const answer = await fetch(`http://127.0.0.1:${monitorPort}/api/v1/status`);
      const { data } = (await answer.json()) as { data: Status };
      return data.last_cycle === null ? undefined : data;
    },
    { what: "the first cycle", timeoutMs: 15_000 },
  );
  // Prometheus is not there, so the other source speaks.
  const memory = seen.last_cycle?.series.find((s) => s.metric === "memory");
  expect(memory).toMatchObject({ target: "product-api", source: "scrape" });
  expect(memory?.current).toBeGreaterThan(10_000_000);
  expect(seen).toMatchObject({ mode: "auto", cycle_seconds: 30, config_file: "config/helius.yml" });

  for (const [name, started] of [
    ["predictive-monitor", monitor],
    ["product-api", api],
  ] as const) {
    const began = performance.now();
    started.child.kill("SIGTERM");
    expect(await exitCode(started), started.output()).toBe(0);
    const grace = durationSeconds(compose.services[name]?.stop_grace_period ?? "10s");
    expect(performance.now() - began).toBeLessThan(1000 * grace);
  }
  // A read-only root would have been enough: all that was written is in the data folders.
  const written = globSync("**/*", { cwd: app, exclude: ["node_modules"] }).filter(
    (path) => path !== "node_modules",
  );
  expect(written.sort()).toEqual(imageFiles());
  expect(globSync("*", { cwd: join(folder, "monitor-data") })).toContain("monitor.db");
  expect(globSync("*", { cwd: join(folder, "api-data") })).toEqual([`product-api-${apiPort}`]);
});

interface Status {
  readonly mode: string;
  readonly cycle_seconds: number;
  readonly config_file: string;
  readonly last_cycle: {
    readonly series: readonly { target: string; metric: string; source: string; current: number | null }[];
  } | null;
}

/** What the image holds, from the checkout. */
function imageFiles(): string[] {
  const ignore = readRepository(".dockerignore");
  const found = new Set<string>();
  for (const { from, to } of copies(image)) {
    const target = to.replace(/^\.\//, "").replace(/\/$/, "");
    const inside = globSync(`${from}/**/*`, { cwd: inRepository(".") }).filter(
      (path) => !isIgnored(ignore, path),
    );
    for (const path of [from, ...inside]) {
      const placed = path.replace(from, target === "." ? from : target);
      const parts = placed.split("/");
      for (let n = 1; n <= parts.length; n++) found.add(parts.slice(0, n).join("/"));
    }
  }
  return [...found].sort();
}

test("the image as it is refuses to run on the development token, and says what to do", async () => {
  const alone = start([...entrypoint, ...execForm(only(image, "CMD"))], {});
  expect(await exitCode(alone)).toBe(1);
  expect(alone.output()).toContain("in production set ADMIN_TOKEN or ADMIN_TOKEN_FILE");
  const service = start([...entrypoint, "service", "product-api"], {});
  expect(await exitCode(service)).toBe(1);
  expect(service.output()).toContain("ADMIN_TOKEN");
});

test("the image's own health check asks the monitor's port, and fails where nobody answers", async () => {
  const words = execForm(only(image, "HEALTHCHECK").replace(/^.*?CMD /, ""));
  const script = words[1] as string;
  expect(words).toEqual(["node", script]);
  expect(readFileSync(join(app, script), "utf8")).toContain('"http://127.0.0.1:9105/-/healthy"');
  const port = await freePort();
  const nobody = start([...words, `http://127.0.0.1:${port}/-/healthy`], {});
  expect(await exitCode(nobody)).toBe(1);
  expect(nobody.output()).toContain(String(port));
});
