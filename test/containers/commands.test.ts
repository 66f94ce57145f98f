import { globSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { importsOf } from "../../tools/lint/layers.ts";
import { freePort, waitFor } from "../setup/ports.ts";
import { durationSeconds, inRepository, readRepository } from "./compose.ts";
import { copies, execForm, isIgnored, only } from "./dockerfile.ts";
import {
  commandOf,
  compose,
  entrypoint,
  environmentOf,
  exitCode,
  healthcheck,
  type Image,
  layOut,
  stage,
} from "./image.ts";

let image: Image;
beforeAll(() => {
  image = layOut();
});
afterAll(() => image.end());

test("the commands of compose start, become healthy, find each other and stop in time", async () => {
  const apiPort = await freePort();
  const monitorPort = await freePort();
  const api = image.start([...commandOf("product-api"), `--web.listen-address=127.0.0.1:${apiPort}`], {
    ...environmentOf("product-api", image),
    HELIUS_DATA_DIR: join(image.folder, "api-data"),
  });
  await image.becomesHealthy(healthcheck("product-api", apiPort), api);
  const monitor = image.start(
    commandOf("predictive-monitor").map((word) => word.replace(/:9105$/, `:${monitorPort}`)),
    {
      ...environmentOf("predictive-monitor", image),
      HELIUS_DATA_DIR: join(image.folder, "monitor-data"),
      TARGET_SERVICE_BASE: `http://127.0.0.1:${apiPort}`,
      PROM_URL: `http://127.0.0.1:${await freePort()}`,
    },
  );
  await image.becomesHealthy(healthcheck("predictive-monitor", monitorPort), monitor);
  const seen = await waitFor(
    async () => {
      const answer = await fetch(`http://127.0.0.1:${monitorPort}/api/v1/status`);
      const { data } = (await answer.json()) as { data: Status };
      return data.last_cycle === null ? undefined : data;
    },
    { what: "the first cycle", timeoutMs: 60_000 },
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
  const written = globSync("**/*", { cwd: image.app, exclude: ["node_modules"] }).filter(
    (path) => path !== "node_modules",
  );
  expect(written.sort()).toEqual(imageFiles());
  expect(globSync("*", { cwd: join(image.folder, "monitor-data") })).toContain("monitor.db");
  expect(globSync("*", { cwd: join(image.folder, "api-data") })).toEqual([`product-api-${apiPort}`]);
  expect(globSync("*", { cwd: join(image.folder, "logs") }).sort()).toEqual([
    "predictive-monitor.log",
    "product-api.log",
  ]);
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
  for (const { from, to } of copies(stage)) {
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

/** Used by nothing yet: knip.jsonc. */
const AWAITED = ["src/common/promql/query.ts"];

test("the image holds the program with what it imports, and nothing that only tests, drills and benchmarks need", () => {
  const { dependencies } = JSON.parse(readRepository("package.json")) as { dependencies: object };
  const needed = new Set([
    "src/main.ts",
    // Started by hand: docs/services/recommender-service.md.
    "src/services/recommender-service/train.ts",
    // What browsers load.
    ...["main", "plot"].map((name) => `src/monitor/web/page/${name}.ts`),
  ]);
  const absent = ["src/cli/drill.ts"];
  // A set that grows while it is walked.
  for (const path of needed)
    for (const { named } of importsOf(readFileSync(join(image.app, path), "utf8"))) {
      if (named.startsWith(".")) {
        const to = posix.join(posix.dirname(path), named);
        if (!absent.includes(to)) needed.add(to);
      } else if (!named.startsWith("node:"))
        expect(Object.keys(dependencies), path).toContain(
          named.split("/", named[0] === "@" ? 2 : 1).join("/"),
        );
    }
  const unneeded = globSync("src/**/*.ts", { cwd: image.app }).filter((path) => !needed.has(path));
  expect(unneeded.filter((path) => !AWAITED.includes(path))).toEqual([]);
  expect(globSync("{test,tools,bench,src/lab,node_modules/vitest}", { cwd: image.app })).toEqual([]);
});

test("the commands of the image run on production dependencies, and a drill is said not to be there", async () => {
  const ended = async (...words: string[]) => {
    const started = image.start([...entrypoint, ...words], { ADMIN_TOKEN: "another-than-secret" });
    return { code: await exitCode(started), output: started.output() };
  };
  const [help, monitor, service, up, replay, drill] = await Promise.all([
    ended("--help"),
    ended("monitor", "--help"),
    ended("service", "--help"),
    ended("up", "--help"),
    ended("replay", "--help"),
    ended("drill", "all"),
  ]);
  expect(help).toMatchObject({ code: 0, output: expect.stringContaining("monitor") });
  expect(help.output).not.toContain("drill");
  for (const { code, output } of [monitor, service, up, replay])
    expect({ code, output }).toMatchObject({ code: 0, output: expect.stringContaining("--") });
  expect(drill).toEqual({ code: 2, output: "helius drill is not part of this installation\n" });
  const port = await freePort();
  const api = image.start(
    [...entrypoint, "service", "product-api", `--web.listen-address=127.0.0.1:${port}`],
    {
      ADMIN_TOKEN: "another-than-secret",
      HELIUS_DATA_DIR: join(image.folder, "data"),
    },
  );
  await image.becomesHealthy(healthcheck("product-api", port), api);
});

test("the image as it is refuses to run on the development token, and says what to do", async () => {
  const alone = image.start([...entrypoint, ...execForm(only(stage, "CMD"))], {});
  expect(await exitCode(alone)).toBe(1);
  expect(alone.output()).toContain("in production set ADMIN_TOKEN or ADMIN_TOKEN_FILE");
  const service = image.start([...entrypoint, "service", "product-api"], {});
  expect(await exitCode(service)).toBe(1);
  expect(service.output()).toContain("ADMIN_TOKEN");
});

test("the image's own health check asks the monitor's port, and fails where nobody answers", async () => {
  const words = execForm(only(stage, "HEALTHCHECK").replace(/^.*?CMD /, ""));
  const script = words[1] as string;
  expect(words).toEqual(["node", script]);
  expect(readFileSync(join(image.app, script), "utf8")).toContain('"http://127.0.0.1:9105/-/healthy"');
  const port = await freePort();
  const nobody = image.start([...words, `http://127.0.0.1:${port}/-/healthy`], {});
  expect(await exitCode(nobody)).toBe(1);
  expect(nobody.output()).toContain(String(port));
});
