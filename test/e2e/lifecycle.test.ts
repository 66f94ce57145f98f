import { existsSync, globSync, readdirSync, readFileSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { waitFor } from "../setup/ports.ts";
import { createWorld, type MonitorHandle, quickConfig, type World } from "./kit/world.ts";

let world: World;
beforeEach(() => {
  world = createWorld();
});
afterEach(() => world.end());

async function watching(flags: readonly string[] = ["--web.enable-lifecycle"]) {
  const service = await world.service();
  const config = quickConfig({ targets: [{ name: "product-api", url: service.url }] });
  const monitor = await world.monitor({ config, flags });
  return { config, monitor };
}

const reload = (monitor: MonitorHandle, method = "POST") => fetch(`${monitor.url}/-/reload`, { method });
const successful = async (monitor: MonitorHandle) =>
  (await monitor.metrics()).value("predict_config_last_reload_successful");
/** What the monitor itself says is in force. */
const horizon = async (monitor: MonitorHandle) => {
  const answer = (await (await fetch(`${monitor.url}/api/v1/status`)).json()) as {
    data: { horizon_seconds: number };
  };
  return answer.data.horizon_seconds;
};

describe("reloading", () => {
  test("over HTTP: good 200, bad 500 with the place and the old one kept, good again", async () => {
    const { config, monitor } = await watching();
    expect(await successful(monitor)).toBe(1);
    monitor.rewrite({ ...config, predict: { horizon_seconds: 60 } });
    expect((await reload(monitor)).status).toBe(200);
    expect(await horizon(monitor)).toBe(60);

    monitor.rewrite("cycle_interval_seconds: 1\npredict:\n  horizon_seconds: -1\n");
    const refused = await reload(monitor, "PUT");
    expect(refused.status).toBe(500);
    expect(await refused.text()).toContain(`${monitor.file}:3:3: predict.horizon_seconds must be `);
    expect(await successful(monitor)).toBe(0);
    expect(await horizon(monitor)).toBe(60);
    expect(monitor.process.all("configuration reload failed, keeping the old one")).toHaveLength(1);
    await monitor.moreCycles(2);

    monitor.rewrite({ ...config, predict: { horizon_seconds: 90 } });
    expect((await reload(monitor)).status).toBe(200);
    expect(await successful(monitor)).toBe(1);
    expect(await horizon(monitor)).toBe(90);
    expect((await reload(monitor, "GET")).status).toBe(405);
  });

  test("by SIGHUP: the same", async () => {
    const { config, monitor } = await watching([]);
    monitor.rewrite({ ...config, unknown_key: 1 });
    monitor.process.signal("SIGHUP");
    const line = await monitor.process.line("configuration reload failed, keeping the old one");
    expect(line.error).toMatch(/:\d+:\d+: unknown_key is not a known key$/);
    expect(await successful(monitor)).toBe(0);
    monitor.rewrite({ ...config, predict: { horizon_seconds: 45 } });
    monitor.process.signal("SIGHUP");
    await monitor.process.line("configuration reloaded");
    expect(await successful(monitor)).toBe(1);
    expect(await horizon(monitor)).toBe(45);
    // Without the flag nobody reloads over HTTP.
    expect((await reload(monitor)).status).toBe(403);
  });

  test("SIGHUP opens the log file again at its name, in the monitor and in a service", async () => {
    const path = join(world.dir, "helius.log");
    const service = await world.service({ env: { LOG_FILE: `${path}.service` } });
    const config = quickConfig({ targets: [{ name: "product-api", url: service.url }] });
    const monitor = await world.monitor({ config, env: { LOG_FILE: path } });
    for (const [process, file] of [
      [monitor.process, path],
      [service.process, `${path}.service`],
    ] as const) {
      renameSync(file, `${file}.moved`);
      process.signal("SIGHUP");
      await waitFor(() => existsSync(file), { what: "the file under its name" });
    }
    await monitor.process.line("configuration reloaded");
    await monitor.moreCycles(1);
    expect(readFileSync(path, "utf8")).toContain('"message":"prediction cycle"');
  });

  test("a target that is added is watched, one that is taken out is not, and the others keep their past", async () => {
    const { config, monitor } = await watching();
    const other = await world.service();
    await monitor.seriesWhere("memory", (s) => s.forecast !== null);
    const both = [...(config.targets as object[]), { name: "other", url: other.url }];
    monitor.rewrite({ ...config, targets: both });
    expect((await reload(monitor)).status).toBe(200);
    await monitor.seriesWhere("memory", (s) => s.current !== null, { target: "other" });
    expect(monitor.series("memory").at(-1)?.forecast).not.toBeNull();
    monitor.rewrite({ ...config, targets: both.slice(1) });
    expect((await reload(monitor)).status).toBe(200);
    const from = monitor.cycles().length + 1;
    await monitor.moreCycles(3);
    const names = monitor
      .cycles()
      .slice(from)
      .flatMap((line) => line.signals as { target: string }[]);
    expect(new Set(names.map((s) => s.target))).toEqual(new Set(["other"]));
    expect((await monitor.metrics()).value("predict_observed", { target: "product-api" })).toBeUndefined();
  });
});

describe("start and stop", () => {
  test("what it keeps is for its own user alone: folder 0700, files 0600", async () => {
    const { monitor } = await watching();
    await monitor.moreCycles(1);
    const mode = (path: string) => (statSync(join(world.dir, path)).mode & 0o777).toString(8);
    const names = ["", ...readdirSync(join(world.dir, "monitor"))];
    expect(names.length).toBeGreaterThan(3);
    for (const name of names) expect(mode(`monitor/${name}`), name).toBe(name === "" ? "700" : "600");
    for (const path of globSync("service-1/**/*", { cwd: world.dir, withFileTypes: true }).filter((f) =>
      f.isFile(),
    ))
      expect((statSync(join(path.parentPath, path.name)).mode & 0o777).toString(8), path.name).toBe("600");
  });

  test("healthy at once, ready after the first cycle, SIGTERM and SIGINT end with 0 within bounds", async () => {
    for (const name of ["SIGTERM", "SIGINT"] as const) {
      const { monitor } = await watching();
      expect((await fetch(`${monitor.url}/-/healthy`)).status).toBe(200);
      await waitFor(async () => (await fetch(`${monitor.url}/-/ready`)).status === 200, {
        what: "readiness",
      });
      const { code, signal, tookMs } = await monitor.process.end(name, 15_000);
      expect({ code, signal }).toEqual({ code: 0, signal: null });
      expect(tookMs).toBeLessThan(10_000);
      expect(monitor.process.lines.at(-1)).toMatchObject({ message: "monitor stopping" });
      await world.end();
      world = createWorld();
    }
  });

  test("an open keep-alive connection does not hold up the stop", async () => {
    const { monitor } = await watching();
    // fetch keeps its connection open.
    await (await fetch(`${monitor.url}/metrics`)).text();
    const { code, tookMs } = await monitor.process.end("SIGTERM", 15_000);
    expect(code).toBe(0);
    expect(tookMs).toBeLessThan(10_000);
  });
});
