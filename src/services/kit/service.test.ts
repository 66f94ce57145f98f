import { createServer } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createRegistry } from "../../common/telemetry/registry.ts";
import { HttpError, ServiceConfigError } from "./errors.ts";
import {
  capturedLog,
  eventually,
  ManualClock,
  startTestService,
  type TestService,
  temporaryDirectory,
} from "./kit.testkit.ts";
import { type ServiceOptions, startService } from "./service.ts";

let dir: ReturnType<typeof temporaryDirectory>;
const running: { close(): Promise<void> }[] = [];
beforeEach(() => {
  dir = temporaryDirectory();
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((service) => service.close()));
  dir.remove();
});

async function start(options: Partial<ServiceOptions> = {}): Promise<TestService> {
  const service = await startTestService({ dataDir: dir.path, ...options });
  running.push(service);
  return service;
}

async function millisecondsOf(url: string, init?: RequestInit): Promise<number> {
  const startMs = performance.now();
  await (await fetch(url, init)).text();
  return performance.now() - startMs;
}

describe("health and metrics", () => {
  test("health answers name, version, region and the fields a service adds", async () => {
    const service = await start({
      region: "us-east-1",
      healthName: "helius-test",
      routes: (_app, ctx) => ctx.addHealth(() => ({ mlflow_connected: false })),
    });
    const response = await fetch(`${service.url}/health`);
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({
      status: "ok",
      service: "helius-test",
      version: "1.2.3",
      region: "us-east-1",
      mlflow_connected: false,
    });
  });

  test("requests are counted by template; /health, /metrics and /admin are not", async () => {
    const service = await start({
      routes: (app) => {
        app.get("/items/:id", (_request, response) => void response.json({}));
        app.get("/broken", () => {
          throw new Error("inner detail");
        });
      },
    });
    for (const path of ["/items/1", "/items/2", "/broken", "/nowhere/1", "/nowhere/2", "/health"]) {
      await (await fetch(`${service.url}${path}`)).text();
    }
    await service.admin("GET", "/admin/faults");
    await service.metrics();
    const text = await service.metrics();
    expect(text).toContain('http_requests_total{method="GET",route="/items/:id",code="200"} 2');
    expect(text).toContain('http_requests_total{method="GET",route="/broken",code="500"} 1');
    expect(text).toContain('http_requests_total{method="GET",route="unmatched",code="404"} 2');
    expect(text).toContain('http_request_errors_total{method="GET",route="/broken"} 1');
    expect(text).toContain('http_request_errors_total{method="GET",route="/items/:id"} 0');
    expect(text).toContain(
      'http_request_duration_seconds_count{method="GET",route="/items/:id",code="200"} 2',
    );
    expect(text).toContain("http_requests_inprogress 0");
    expect(text).not.toMatch(/route="\/(health|metrics|admin)/);
    expect(text.match(/^http_requests_total\{/gm)).toHaveLength(3);
  });

  test("the histogram has the agreed buckets, in seconds", async () => {
    const service = await start();
    await fetch(`${service.url}/work`);
    const bounds = [
      ...(await service.metrics()).matchAll(/duration_seconds_bucket\{le="([^"]+)"[^\n]*route="\/work"/g),
    ];
    expect(bounds.map((match) => match[1])).toEqual(
      "0.005 0.01 0.025 0.05 0.075 0.1 0.15 0.2 0.25 0.3 0.4 0.5 0.75 1 1.5 2 2.5 3 4 5 7.5 10 +Inf".split(
        " ",
      ),
    );
  });

  test("before any request the series a monitor needs exist", async () => {
    const text = await (await start()).metrics();
    for (const line of [
      'http_request_errors_total{method="GET",route="/work"} 0',
      "artificial_latency_injected_ms 0",
      "memory_leak_chunks 0",
      "last_mitigation_timestamp_seconds 0",
    ]) {
      expect(text).toContain(line);
    }
    expect(text).not.toContain("queue_depth");
  });

  test("a client that goes away is counted as 499, and its delay ends", async () => {
    let reached = false;
    const service = await start({
      routes: (app) =>
        app.get("/slow", () => {
          reached = true;
        }),
    });
    await service.admin("POST", "/admin/fault?mode=latency&inc=5000");
    await expect(fetch(`${service.url}/slow`, { signal: AbortSignal.timeout(50) })).rejects.toThrow();
    await eventually(async () =>
      (await service.metrics()).includes('http_requests_total{method="GET",route="/slow",code="499"} 1'),
    );
    expect(reached).toBe(false);
  });

  test("a flood of scrapes costs a bounded number of renderings; in calm each is fresh", async () => {
    const registry = createRegistry({ processMetrics: false });
    const clock = new ManualClock();
    let renderings = 0;
    const render = registry.metrics.bind(registry);
    registry.metrics = () => {
      renderings += 1;
      return render();
    };
    const service = await start({ registry, clock });
    const texts = await Promise.all(Array.from({ length: 100 }, () => service.metrics()));
    expect(texts.every((text) => text.includes("memory_leak_chunks 0"))).toBe(true);
    expect(renderings).toBe(20);
    await service.admin("POST", "/admin/fault?mode=leak&kb=50");
    clock.advance(50);
    expect(await service.metrics()).toContain("memory_leak_chunks 1");
    expect(renderings).toBe(21);
  });
});

describe("errors", () => {
  test("404, 405, 413 and broken JSON are JSON with the status", async () => {
    const service = await start();
    const of = async (path: string, init?: RequestInit) => {
      const response = await fetch(`${service.url}${path}`, init);
      return { status: response.status, allow: response.headers.get("allow"), body: await response.json() };
    };
    expect(await of("/nowhere")).toMatchObject({ status: 404, body: { error: "there is no /nowhere here" } });
    expect(await of("/work", { method: "PUT" })).toMatchObject({ status: 405, allow: "HEAD, GET" });
    expect(await of("/health", { method: "POST" })).toMatchObject({ status: 405, allow: "GET, HEAD" });
    expect(await of("/metrics", { method: "DELETE" })).toMatchObject({ status: 405 });
    expect(await of("/%E0%A4%A")).toMatchObject({ status: 404 });
  });

  test("an unforeseen error is logged and not shown; an HttpError is shown", async () => {
    const service = await start({
      routes: (app) => {
        app.get("/bug", async () => {
          throw new Error("inner detail");
        });
        app.get("/busy", () => {
          throw new HttpError(503, { error: "busy" }, { "retry-after": "3" });
        });
      },
    });
    const bug = await fetch(`${service.url}/bug`);
    expect([bug.status, await bug.json()]).toEqual([500, { error: "internal error" }]);
    expect(service.lines).toContainEqual(
      expect.objectContaining({ message: "request failed", error: "inner detail", level: "error" }),
    );
    const busy = await fetch(`${service.url}/busy`);
    expect([busy.status, busy.headers.get("retry-after"), await busy.json()]).toEqual([
      503,
      "3",
      { error: "busy" },
    ]);
  });
});

describe("faults at work", () => {
  test("latency delays routes, but not /health, /metrics and /admin", async () => {
    const service = await start();
    await service.admin("POST", "/admin/fault?mode=latency&inc=2000");
    expect(await millisecondsOf(`${service.url}/work`)).toBeGreaterThanOrEqual(1_995);
    expect(await millisecondsOf(`${service.url}/nowhere`)).toBeGreaterThanOrEqual(1_995);
    for (const path of ["/health", "/metrics"]) {
      expect(await millisecondsOf(`${service.url}${path}`)).toBeLessThan(1_500);
    }
    const startMs = performance.now();
    await service.admin("GET", "/admin/faults");
    expect(performance.now() - startMs).toBeLessThan(1_500);
    expect(await service.metrics()).toContain("artificial_latency_injected_ms 2000");
    await service.admin("POST", "/admin/mitigate");
    expect(await millisecondsOf(`${service.url}/work`)).toBeLessThan(1_500);
  });

  test("errors strike the asked share of the requests of routes only", async () => {
    const service = await start();
    await service.admin("POST", "/admin/fault?mode=error&ratio=0.2");
    const statuses: number[] = [];
    for (let count = 0; count < 20; count += 1) {
      const response = await fetch(`${service.url}/work`);
      await response.text();
      statuses.push(response.status);
      expect((await fetch(`${service.url}/health`)).status).toBe(200);
    }
    expect(statuses.filter((status) => status === 500)).toHaveLength(4);
    expect(await service.metrics()).toContain('http_request_errors_total{method="GET",route="/work"} 4');
  });

  test("a leak really grows the resident size, and a mitigation gives it back", async () => {
    const service = await start();
    const rss = () => process.memoryUsage.rss();
    const MB = 1_000_000;
    const before = rss();
    const { json } = await service.admin("POST", "/admin/fault?mode=leak&kb=150000");
    expect(json).toEqual({ mode: "leak", leak_chunks: 1, allocated_kb: 150_000 });
    const leaked = rss();
    expect(leaked - before).toBeGreaterThan(120 * MB);
    expect(await service.metrics()).toContain("memory_leak_chunks 1");
    expect((await service.admin("POST", "/admin/mitigate")).json).toEqual({
      reset_latency: true,
      freed_chunks: 1,
    });
    await eventually(() => rss() < leaked - 100 * MB);
  });

  test("many small chunks are resident one by one, and are given back too", async () => {
    const service = await start();
    const before = process.memoryUsage.rss();
    await service.admin("POST", "/admin/fault?mode=leak&kb=100000&over=0.001");
    await eventually(async () => (await service.metrics()).includes("memory_leak_chunks 2000"));
    const leaked = process.memoryUsage.rss();
    expect(leaked - before).toBeGreaterThan(80_000_000);
    expect((await service.admin("POST", "/admin/mitigate")).json.freed_chunks).toBe(2_000);
    await eventually(() => process.memoryUsage.rss() < leaked - 70_000_000);
  });

  test("a blackout holds /metrics open until the mitigation; /health still answers", async () => {
    const service = await start();
    const answer = await service.admin("POST", "/admin/fault?mode=blackout");
    expect(answer.json).toEqual({ mode: "blackout", blackout_seconds: null });
    let answered = false;
    const scrape = service.metrics().then((text) => {
      answered = true;
      return text;
    });
    await eventually(async () => {
      const { json } = await service.admin("GET", "/admin/faults");
      return (json.faults as { blackout: { held_scrapes: number } }).blackout.held_scrapes === 1;
    });
    expect((await fetch(`${service.url}/health`)).status).toBe(200);
    expect(answered).toBe(false);
    await service.admin("POST", "/admin/mitigate");
    expect(await scrape).toContain("memory_leak_chunks");
    expect(await service.metrics()).toContain("last_mitigation_timestamp_seconds 1");
  });

  test("a blackout with seconds ends by itself", async () => {
    const service = await start();
    await service.admin("POST", "/admin/fault?mode=blackout&seconds=0.3");
    expect(await service.metrics()).toContain("memory_leak_chunks");
    expect((await service.admin("GET", "/admin/faults")).json.faults).toEqual({});
  });

  test("a queue is shown and its consumer can be slowed", async () => {
    let factor = () => 0;
    const service = await start({
      routes: (_app, ctx) => {
        ctx.addQueue({ name: "orders", depth: () => 7 });
        factor = () => ctx.backlogFactor();
      },
    });
    expect(await service.metrics()).toContain('queue_depth{queue="orders"} 7');
    expect(factor()).toBe(1);
    const answer = await service.admin("POST", "/admin/fault?mode=backlog&factor=10");
    expect(answer.json).toEqual({ mode: "backlog", backlog_factor: 10 });
    expect(factor()).toBe(10);
  });
});

describe("start and stop", () => {
  test("a port in use is named, and nothing is left behind", async () => {
    const blocker = createServer();
    await new Promise<void>((resolve) => blocker.listen(0, "127.0.0.1", resolve));
    const { port } = blocker.address() as { port: number };
    const failure = await start({ port }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ name: "ListenError" });
    expect(failure).toMatchObject({ host: "127.0.0.1", port });
    expect((failure as Error).message).toBe(
      `port ${port} on 127.0.0.1 is already in use; choose another with PORT or --web.listen-address=HOST:PORT`,
    );
    await new Promise((resolve) => blocker.close(resolve));
    expect((await start({ port })).port).toBe(port);
  });

  test("routes that fail to register free the port and the ledger", async () => {
    const failing = start({ routes: () => Promise.reject(new Error("no model")) });
    await expect(failing).rejects.toThrow("no model");
    expect((await start()).port).toBeGreaterThan(0);
  });

  test("a bad token list is refused before listening", async () => {
    await expect(start({ adminTokens: [] })).rejects.toThrow(ServiceConfigError);
  });

  test("close answers what is in flight, then stops; it may be called twice", async () => {
    let release = () => {};
    const stopped: string[] = [];
    const service = await start({
      routes: (app, ctx) => {
        ctx.onClose(() => void stopped.push("first added"));
        ctx.onClose(() => void stopped.push("last added"));
        app.get("/held", async (_request, response) => {
          await new Promise<void>((resolve) => {
            release = resolve;
          });
          stopped.push("answered");
          response.json({ done: true });
        });
      },
    });
    const answer = fetch(`${service.url}/held`);
    await eventually(async () => (await service.metrics()).includes("http_requests_inprogress 1"));
    const closed = Promise.all([service.close(), service.close()]);
    await expect(fetch(`${service.url}/health`)).rejects.toThrow();
    release();
    expect(await (await answer).json()).toEqual({ done: true });
    await closed;
    expect(stopped).toEqual(["answered", "last added", "first added"]);
    expect(service.lines.at(-1)).toMatchObject({ message: "service stopped", cut_off_requests: 0 });
  });

  test("close is bounded: what does not end is cut off", async () => {
    const service = await start({ drainMs: 100, routes: (app) => app.get("/stuck", () => {}) });
    const answer = fetch(`${service.url}/stuck`).catch((error: unknown) => error);
    await eventually(async () => (await service.metrics()).includes("http_requests_inprogress 1"));
    const startMs = performance.now();
    await service.close();
    expect(performance.now() - startMs).toBeLessThan(15_000);
    expect(await answer).toBeInstanceOf(Error);
    expect(service.lines.at(-1)).toMatchObject({ message: "service stopped", cut_off_requests: 1 });
  });

  test("close ends injected delays at once, and drops held scrapes", async () => {
    const service = await start();
    await service.admin("POST", "/admin/fault?mode=latency&inc=60000");
    await service.admin("POST", "/admin/fault?mode=blackout");
    const scrape = service.metrics().catch((error: unknown) => error);
    const answer = fetch(`${service.url}/work`);
    await eventually(async () => {
      const { json } = await service.admin("GET", "/admin/faults");
      return (json.faults as { blackout: { held_scrapes: number } }).blackout.held_scrapes === 1;
    });
    const startMs = performance.now();
    await service.close();
    expect(performance.now() - startMs).toBeLessThan(15_000);
    expect((await answer).status).toBe(200);
    expect(await scrape).toBeInstanceOf(Error);
  });

  test("the server has bounded timeouts", async () => {
    let timeouts: number[] = [];
    const { logger } = capturedLog();
    const service = await startService({
      name: "timeouts",
      version: "1",
      host: "127.0.0.1",
      port: 0,
      adminTokens: ["t"],
      logger,
      registry: createRegistry({ processMetrics: false }),
      dataDir: dir.path,
      faultInjection: false,
      routes: (_app, { server }) => {
        timeouts = [server.requestTimeout, server.headersTimeout, server.keepAliveTimeout];
      },
    });
    running.push(service);
    expect(timeouts).toEqual([30_000, 10_000, 15_000]);
  });
});
