import { afterEach, beforeEach, expect, test } from "vitest";
import { PLATFORM } from "../../src/services/platform/platform.ts";
import { freePort, waitFor } from "../setup/ports.ts";
import { descendantsOf, isAlive } from "./kit/process.ts";
import { createWorld, TOKEN, type World } from "./kit/world.ts";

let world: World;
beforeEach(() => {
  world = createWorld();
});
afterEach(() => world.end());

interface Page {
  readonly parts: Record<string, { from: string }>;
  readonly degraded: string[];
}

test("helius up runs the whole platform: pages are whole, also while everything they ask is down", async () => {
  const ports = new Map<string, number>();
  for (const { name } of PLATFORM) ports.set(name, await freePort());
  const url = (name: string) => `http://127.0.0.1:${ports.get(name)}`;
  const monitor = `http://127.0.0.1:${await freePort()}`;
  const helius = world.spawn(
    [
      "up",
      ...[...ports].map(([name, port]) => `--${name}.listen-address=127.0.0.1:${port}`),
      `--web.listen-address=${new URL(monitor).host}`,
      `--mqtt.port=${await freePort()}`,
      `--data-dir=${world.dir}/data`,
    ],
    { ADMIN_TOKEN: TOKEN },
  );
  world.onEnd(() => {
    for (const pid of descendantsOf(helius.pid)) process.kill(pid, "SIGKILL");
  });
  await waitFor(() => helius.stdout().includes("Ctrl-C stops everything"), {
    what: "the banner",
    timeoutMs: 60_000,
  });

  for (const { name } of PLATFORM) {
    const health = await fetch(`${url(name)}/health`);
    expect(await health.json(), name).toMatchObject({ status: "ok" });
  }
  const page = async (id: number) => {
    const response = await fetch(`${url("product-api")}/products/${id}/page?history=1,2`);
    return { status: response.status, body: (await response.json()) as Page };
  };
  await waitFor(async () => (await page(7)).body.degraded.length === 0, {
    what: "a whole page",
    timeoutMs: 30_000,
  });
  expect((await page(8)).body.parts).toEqual({
    recommendations: { from: "recommender" },
    blurb: { from: "assistant" },
  });

  // Every service is watched: the monitor has a usable value for each.
  const watched = async () => {
    const answer = (await (await fetch(`${monitor}/api/v1/status`)).json()) as {
      data: { last_cycle: { series: { target: string; current: number | null }[] } | null };
    };
    const series = answer.data.last_cycle?.series ?? [];
    return new Set(series.filter((s) => s.current !== null).map((s) => s.target)).size;
  };
  await waitFor(async () => (await watched()) === PLATFORM.length, {
    what: "all targets seen",
    timeoutMs: 30_000,
  });

  // Devices are heard: telemetry is buffered and delivered.
  const delivered = async () => {
    const text = await (await fetch(`${url("telemetry-gateway")}/metrics`)).text();
    return [...text.matchAll(/^telemetry_delivered_total\{.*\} (\d+)$/gm)].reduce(
      (n, m) => n + Number(m[1]),
      0,
    );
  };
  await waitFor(async () => (await delivered()) > 50, { what: "delivered telemetry", timeoutMs: 30_000 });

  // Everything the page asks falls silent: it stays whole, and says what it lacks.
  for (const name of ["recommender-service", "llm-router"])
    await fetch(`${url(name)}/admin/fault?mode=error&ratio=1`, {
      method: "POST",
      headers: { "x-admin-token": TOKEN },
    });
  let served = 0;
  await waitFor(
    async () => {
      const { status, body } = await page(1 + (served % 500));
      expect(status).toBe(200);
      served += 1;
      return body.degraded.length === 2;
    },
    { what: "a degraded page", timeoutMs: 60_000 },
  );
  for (let k = 0; k < 100; k++) expect((await page(1 + k)).status).toBe(200);

  const children = descendantsOf(helius.pid);
  helius.signal("SIGINT");
  await waitFor(() => !isAlive(helius.pid), { what: "the end", timeoutMs: 60_000 });
  for (const pid of children) expect(isAlive(pid), `process ${pid}`).toBe(false);
});
