import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { freePort, waitFor } from "../setup/ports.ts";
import { descendantsOf, isAlive } from "./kit/process.ts";
import { createWorld, TOKEN, type World } from "./kit/world.ts";

let world: World;
beforeEach(() => {
  world = createWorld();
});
afterEach(() => world.end());

async function up(flags: readonly string[] = []) {
  const [api, monitor] = [await freePort(), await freePort()];
  const process = world.spawn(
    [
      "up",
      "--services=product-api",
      `--product-api.listen-address=127.0.0.1:${api}`,
      `--web.listen-address=127.0.0.1:${monitor}`,
      `--data-dir=${world.dir}/data`,
      "--cycle-interval-seconds=1",
      "--sources.rate-window-seconds=5",
      ...flags,
    ],
    { ADMIN_TOKEN: TOKEN },
  );
  // Should the test fail before the stop, its children must not outlive it either.
  world.onEnd(() => {
    for (const pid of descendantsOf(process.pid)) globalThis.process.kill(pid, "SIGKILL");
  });
  await waitFor(() => process.stdout().includes("Ctrl-C stops everything"), {
    what: "the banner",
    timeoutMs: 60_000,
  });
  return { process, apiUrl: `http://127.0.0.1:${api}`, monitorUrl: `http://127.0.0.1:${monitor}` };
}

describe("helius up", () => {
  test("starts everything, one curl's ramp is healed, and Ctrl-C leaves nothing behind", async () => {
    const { process, apiUrl, monitorUrl } = await up();
    expect(process.stdout()).toContain(`watch      ${monitorUrl}/`);
    expect(process.stdout()).toContain(
      `-H "x-admin-token: $ADMIN_TOKEN" '${apiUrl}/admin/fault?mode=latency`,
    );
    expect(process.stdout() + process.stderr()).not.toContain(TOKEN);
    expect((await fetch(`${monitorUrl}/`)).headers.get("content-type")).toContain("text/html");
    const calm = () =>
      process
        .all("prediction cycle")
        .flatMap((line) => line.signals as { metric: string; decision: string }[])
        .filter((s) => s.metric === "p95_latency" && s.decision === "below_slo").length;
    await waitFor(() => calm() >= 5, { what: "five calm cycles", timeoutMs: 40_000 });

    const children = descendantsOf(process.pid);
    expect(children.length).toBeGreaterThanOrEqual(1);
    const injected = await fetch(`${apiUrl}/admin/fault?mode=latency&inc=5000&over=150`, {
      method: "POST",
      headers: { "x-admin-token": TOKEN },
    });
    expect(injected.status).toBe(200);
    const latency = (job: string) => (line: Record<string, unknown>) =>
      line.job === job && line.mode === "auto";
    const healed = await process.line("mitigation executed", {
      also: latency("predictive-monitor"),
      timeoutMs: 60_000,
    });
    expect(healed).toMatchObject({ metric: "p95_latency", outcome: "applied", source: "scrape" });
    expect(Number(healed.current)).toBeLessThan(5000);
    await process.line("mitigation executed", { also: latency("product-api") });
    const faults = await fetch(`${apiUrl}/admin/faults`, { headers: { "x-admin-token": TOKEN } });
    expect(await faults.json()).toMatchObject({ faults: {} });

    const { code, signal, tookMs } = await process.end("SIGINT", 10_000);
    expect({ code, signal }).toEqual({ code: 0, signal: null });
    expect(tookMs).toBeLessThan(10_000);
    expect(process.stdout()).toMatch(/stopped\n$/);
    expect(children.filter(isAlive)).toEqual([]);
    for (const url of [apiUrl, monitorUrl]) await expect(fetch(`${url}/metrics`)).rejects.toThrow();
  });

  test("a service that is killed is started again, and the stop still leaves nothing behind", async () => {
    const { process, apiUrl } = await up(["--log.format=pretty"]);
    const health = async () => (await fetch(`${apiUrl}/health`).catch(() => undefined))?.ok === true;
    await waitFor(health, { what: "product-api" });
    const [first] = descendantsOf(process.pid);
    if (first === undefined) throw new Error("up has no child");
    globalThis.process.kill(first, "SIGKILL");
    await waitFor(() => descendantsOf(process.pid).some((pid) => pid !== first), { what: "a new process" });
    await waitFor(health, { what: "product-api again", timeoutMs: 60_000 });
    expect(process.stdout()).toContain("starting it again");
    const children = descendantsOf(process.pid);
    expect((await process.end("SIGTERM", 10_000)).code).toBe(0);
    expect(children.filter(isAlive)).toEqual([]);
  });
});
