import { createServer, type Server } from "node:http";
import { afterEach, describe, expect, test } from "vitest";
import { eventually } from "../kit/kit.testkit.ts";
import { seededRandom } from "../kit/random.ts";
import { createCatalogue } from "../product-api/catalogue.ts";
import { startLoad } from "./load.ts";
import { nextGapMs, nextRequest } from "./mix.ts";

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

async function serve(handler: Parameters<typeof createServer>[1]): Promise<string> {
  const server = createServer(handler as never);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`;
}

describe("mix", () => {
  test("is the same for a seed, and near its shares", () => {
    const take = (seed: number) => {
      const random = seededRandom(seed);
      return Array.from({ length: 10_000 }, () => nextRequest(random));
    };
    expect(take(3).slice(0, 50)).toEqual(take(3).slice(0, 50));
    const share = (kind: string) => take(3).filter((request) => request.kind === kind).length / 10_000;
    expect(share("browse")).toBeCloseTo(0.5, 1);
    expect(share("search")).toBeCloseTo(0.25, 1);
    expect(share("product")).toBeCloseTo(0.1, 1);
    expect(share("page")).toBeCloseTo(0.1, 1);
    expect(share("order")).toBeCloseTo(0.05, 1);
  });

  test("asks for what the catalogue has", () => {
    const random = seededRandom(1);
    const ids = new Set(createCatalogue({ size: 500, seed: 1 }).map((product) => `/products/${product.id}`));
    const asked = Array.from({ length: 5_000 }, () => nextRequest(random)).filter(
      ({ kind }) => kind === "product",
    );
    expect(asked.length).toBeGreaterThan(300);
    expect(asked.every(({ path }) => ids.has(path))).toBe(true);
  });

  test("gaps are exponential with the mean of the rate", () => {
    const random = seededRandom(9);
    const gaps = Array.from({ length: 20_000 }, () => nextGapMs(random, 50));
    const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
    const deviation = Math.sqrt(gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length);
    expect(mean).toBeGreaterThan(19.5);
    expect(mean).toBeLessThan(20.5);
    expect(deviation / mean).toBeCloseTo(1, 1);
  });
});

describe("startLoad", () => {
  test("counts answers below 500 as ok and 5xx as failed", async () => {
    let count = 0;
    const baseUrl = await serve((_request, response) => {
      count += 1;
      response.statusCode = count % 2 === 0 ? 503 : 404;
      response.end("{}");
    });
    const load = startLoad({ baseUrl, ratePerSecond: 50, timeoutMs: 60_000 });
    await eventually(() => load.stats().ok >= 10 && load.stats().failed >= 10);
    const stats = await load.stop();
    expect(stats.inFlight).toBe(0);
    expect(stats.offered).toBe(stats.ok + stats.failed + stats.shed);
    expect(Math.abs(stats.ok - stats.failed)).toBeLessThanOrEqual(1);
    expect(stats.offered).toBe(count);
  });

  test("is open: arrivals do not wait for answers, and what is beyond the bound is shed", async () => {
    let held = 0;
    const baseUrl = await serve(() => {
      held += 1;
    });
    const load = startLoad({ baseUrl, ratePerSecond: 500, maxInFlight: 20, timeoutMs: 300 });
    await eventually(() => load.stats().shed >= 20 && held >= 20);
    expect(load.stats().inFlight).toBeLessThanOrEqual(20);
    const stats = await load.stop();
    expect(stats.ok).toBe(0);
    expect(stats.failed).toBeGreaterThanOrEqual(20);
    expect(stats.offered).toBe(stats.failed + stats.shed);
  });

  test("a service that is down only raises failed, and it recovers with the service", async () => {
    const baseUrl = await serve((_request, response) => response.end());
    const server = servers.pop() as Server;
    const { port } = server.address() as { port: number };
    await new Promise((resolve) => server.close(resolve));
    const load = startLoad({ baseUrl, ratePerSecond: 200 });
    await eventually(() => load.stats().failed >= 10);
    expect(load.stats().ok).toBe(0);
    const again = createServer((_request, response) => response.end());
    servers.push(again);
    await new Promise<void>((resolve) => again.listen(port, "127.0.0.1", resolve));
    await eventually(() => load.stats().ok >= 10);
    await load.stop();
  });

  test.each([
    [{ ratePerSecond: 0 }, "ratePerSecond is 0"],
    [{ ratePerSecond: Number.NaN }, "ratePerSecond is NaN"],
    [{ ratePerSecond: 1, maxInFlight: 0.5 }, "maxInFlight is 0.5"],
  ])("%j is refused", (options, message) => {
    expect(() => startLoad({ baseUrl: "http://127.0.0.1:1", ...options })).toThrow(message);
  });
});
