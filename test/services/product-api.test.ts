import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ServiceConfigError } from "../../src/services/kit/errors.ts";
import { eventually, temporaryDirectory } from "../../src/services/kit/kit.testkit.ts";
import type { RunningService } from "../../src/services/kit/service.ts";
import { startLoad } from "../../src/services/load-generator/load.ts";
import { services, startServiceFromEnv } from "../../src/services/registry.ts";

let dir: ReturnType<typeof temporaryDirectory>;
const running: RunningService[] = [];
beforeEach(() => {
  dir = temporaryDirectory();
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((service) => service.close()));
  dir.remove();
});

async function start(env: Record<string, string> = {}): Promise<RunningService> {
  const service = await startServiceFromEnv(
    "product-api",
    { HELIUS_DATA_DIR: dir.path, LOG_FILE: join(dir.path, "logs", "product-api.log"), ...env },
    { "web.listen-address": "127.0.0.1:0", "log.level": "info" },
    { write: () => {} },
  );
  running.push(service);
  return service;
}

interface Body {
  readonly [name: string]: unknown;
  readonly products: { id: number; name: string; category: string }[];
}

async function call(service: RunningService, path: string, init?: RequestInit) {
  const response = await fetch(`${service.url}${path}`, init);
  return { status: response.status, headers: response.headers, body: (await response.json()) as Body };
}

const order = (service: RunningService, body: unknown) =>
  call(service, "/orders", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });

const admin = (service: RunningService, path: string, headers: Record<string, string> = {}) =>
  call(service, path, { method: "POST", headers: { "x-admin-token": "secret", ...headers } });

describe("startServiceFromEnv", () => {
  test("starts the service, with its log file, health and build info", async () => {
    const service = await start();
    expect((await call(service, "/health")).body).toEqual({
      status: "ok",
      service: "product-api",
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
    });
    const log = readFileSync(join(dir.path, "logs", "product-api.log"), "utf8");
    expect(JSON.parse(log.split("\n")[0] ?? "")).toMatchObject({
      job: "product-api",
      message: "service listening",
    });
    const metrics = await (await fetch(`${service.url}/metrics`)).text();
    expect(metrics).toMatch(/helius_service_build_info\{version="[^"]+",revision="[^"]+"\} 1/);
    expect(metrics).toContain("process_resident_memory_bytes");
    expect(metrics).toContain("log_lines_dropped_total 0");
    expect(metrics).toContain('queue_depth{queue="orders"} 0');
  });

  test("an unknown service and a bad setting are named", async () => {
    await expect(startServiceFromEnv("shop", {}, {})).rejects.toThrow(ServiceConfigError);
    await expect(startServiceFromEnv("shop", {}, {})).rejects.toThrow("expected one of product-api");
    await expect(start({ PRODUCT_API_ORDER_RATE: "fast" })).rejects.toThrow("PRODUCT_API_ORDER_RATE");
    await expect(start({ ADMIN_TOKEN_FILE: join(dir.path, "none") })).rejects.toThrow("ADMIN_TOKEN_FILE");
  });

  test("the contract's port", () => {
    expect(services.get("product-api")).toMatchObject({ job: "product-api", defaultPort: 8000 });
  });
});

describe("catalogue and search", () => {
  test("pages through a category without gap or overlap", async () => {
    const service = await start();
    const seen: number[] = [];
    for (let page = 1; page <= 4; page += 1) {
      const { body } = await call(service, `/products?category=audio&page=${page}&limit=20`);
      expect(body).toMatchObject({ page, limit: 20, total: 63 });
      expect(body.products.every((product) => product.category === "audio")).toBe(true);
      seen.push(...body.products.map((product) => product.id));
    }
    expect([seen.length, new Set(seen).size]).toEqual([63, 63]);
    expect((await call(service, "/products")).body).toMatchObject({ total: 500, page: 1, limit: 20 });
    expect((await call(service, "/")).body).toMatchObject({ service: "product-api", products: 500 });
  });

  test("one product, and a search that finds it by its name", async () => {
    const service = await start();
    const { body } = await call(service, "/products/42");
    expect(body.id).toBe(42);
    const found = await call(service, `/search?q=${encodeURIComponent(String(body.name))}`);
    expect(found.body.products[0]).toMatchObject({ id: 42 });
    expect((await call(service, "/search?q=zzzz")).body).toMatchObject({ count: 0, products: [] });
  });

  test.each([
    ["/products?category=cars", 400, "category"],
    ["/products?page=0", 400, "page"],
    ["/products?page=1&page=2", 400, "page"],
    ["/products?limit=101", 400, "limit"],
    ["/products?limit=ten", 400, "limit"],
    ["/products/abc", 400, "id"],
    ["/products/501", 404, "id"],
    ["/search", 400, "q"],
    ["/search?q=%20", 400, "q"],
    [`/search?q=${"x".repeat(201)}`, 400, "q"],
    ["/orders/none", 404, "id"],
  ])("%s answers %i and names %s", async (path, status, field) => {
    const answer = await call(await start(), path);
    expect(answer.status).toBe(status);
    expect(answer.body).toEqual({ error: expect.any(String), field, expected: expect.any(String) });
  });
});

describe("orders", () => {
  test("are accepted, then confirmed by the worker", async () => {
    const service = await start();
    const placed = await order(service, { product_id: 7, quantity: 2 });
    expect(placed.status).toBe(202);
    expect(placed.body).toMatchObject({ product_id: 7, quantity: 2, status: "queued" });
    const path = placed.headers.get("location") ?? "";
    expect(path).toBe(`/orders/${placed.body.id}`);
    await eventually(async () => (await call(service, path)).body.status === "confirmed");
  });

  test.each([
    [{ product_id: 7, quantity: 0 }, "quantity"],
    [{ product_id: 7, quantity: 101 }, "quantity"],
    [{ product_id: 7, quantity: "2" }, "quantity"],
    [{ product_id: 7.5, quantity: 2 }, "product_id"],
    [{ quantity: 2 }, "product_id"],
    [{ product_id: 501, quantity: 2 }, "product_id"],
    [{ product_id: 7, quantity: 2, price_cents: 1 }, "price_cents"],
    [[], "(body)"],
  ])("%j is refused by field", async (body, field) => {
    const answer = await order(await start(), body);
    expect([answer.status, answer.body.field]).toEqual([400, field]);
    expect(answer.body.expected).toEqual(expect.any(String));
  });

  test("a body that is no JSON, missing, or too large", async () => {
    const service = await start();
    expect(await order(service, "{")).toMatchObject({
      status: 400,
      body: { error: "the body is not valid JSON" },
    });
    expect(await call(service, "/orders", { method: "POST" })).toMatchObject({
      status: 400,
      body: { field: "(body)" },
    });
    const large = JSON.stringify({ product_id: 7, quantity: 2, note: "x".repeat(17_000) });
    expect((await order(service, large)).status).toBe(413);
  });

  test("a slowed worker lets the queue grow until it refuses; a mitigation lets it drain", async () => {
    const service = await start({ PRODUCT_API_ORDER_RATE: "10000" });
    expect((await admin(service, "/admin/fault?mode=backlog&factor=1000")).body).toEqual({
      mode: "backlog",
      backlog_factor: 1_000,
    });
    const depth = async () => {
      const text = await (await fetch(`${service.url}/metrics`)).text();
      return Number(/^queue_depth\{queue="orders"\} (\d+)$/m.exec(text)?.[1]);
    };
    const refused = await eventually(async () => {
      const answers = await Promise.all(
        Array.from({ length: 100 }, () => order(service, { product_id: 1, quantity: 1 })),
      );
      return answers.find((answer) => answer.status === 503);
    });
    expect(refused.headers.get("retry-after")).toBe("1");
    expect(await depth()).toBeGreaterThan(900);
    await admin(service, "/admin/mitigate");
    await eventually(async () => (await depth()) === 0);
  });
});

describe("under load", () => {
  test("customers are served; injected errors and their mitigation show in what they see and in the metrics", async () => {
    const service = await start();
    const load = startLoad({ baseUrl: service.url, ratePerSecond: 150, seed: 4 });
    await eventually(() => load.stats().ok >= 60);
    expect(load.stats().failed).toBe(0);
    await admin(service, "/admin/fault?mode=error&ratio=0.5");
    await eventually(() => load.stats().failed >= 20);
    await admin(service, "/admin/mitigate", { "x-predictive-automated": "1" });
    await eventually(() => load.stats().inFlight === 0);
    const failed = load.stats().failed;
    const okBefore = load.stats().ok;
    await eventually(() => load.stats().ok >= okBefore + 40);
    expect(load.stats().failed).toBe(failed);
    const stats = await load.stop();
    const text = await (await fetch(`${service.url}/metrics`)).text();
    const errors = [...text.matchAll(/^http_request_errors_total\{[^}]*\} (\d+)$/gm)];
    expect(errors.reduce((sum, match) => sum + Number(match[1]), 0)).toBe(failed);
    const requests = [...text.matchAll(/^http_requests_total\{[^}]*\} (\d+)$/gm)];
    expect(requests.reduce((sum, match) => sum + Number(match[1]), 0)).toBe(stats.offered - stats.shed);
    const log = readFileSync(join(dir.path, "logs", "product-api.log"), "utf8");
    expect(log).toMatch(/"mode":"auto".*"message":"mitigation executed"/);
  });
});
