import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { createLogger } from "../../common/telemetry/logger.ts";
import { createRegistry } from "../../common/telemetry/registry.ts";
import { temporaryDirectory } from "../kit/kit.testkit.ts";
import type { RunningService } from "../kit/service.ts";
import { productApi } from "./service.ts";

const folder = temporaryDirectory();
afterAll(() => folder.remove());
let serial = 0;
const open: (Server | RunningService)[] = [];

afterEach(async () => {
  for (const one of open.splice(0).reverse()) {
    if ("url" in one) await one.close();
    else {
      one.closeAllConnections();
      await new Promise((resolve) => one.close(resolve));
    }
  }
});

async function dependency(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  open.push(server);
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function shop(env: Record<string, string>) {
  const registry = createRegistry({ processMetrics: false });
  const service = await productApi.start({
    version: "1",
    host: "127.0.0.1",
    port: 0,
    adminTokens: ["t"],
    logger: createLogger({ job: "product-api", level: "silent" }),
    registry,
    dataDir: `${folder.path}/${serial++}`,
    faultInjection: true,
    env,
  });
  open.push(service);
  const page = async (path = "/products/7/page?history=1,2") => {
    const response = await fetch(service.url + path);
    return { status: response.status, body: (await response.json()) as Page };
  };
  return { page, metrics: () => registry.metrics() };
}

interface Page {
  readonly product: { readonly id: number; readonly description: string };
  readonly recommendations: { readonly id: number; readonly name: string }[];
  readonly blurb: string;
  readonly parts: Record<string, { from: string; why?: string }>;
  readonly degraded: string[];
  readonly field?: string;
}

const json = (response: ServerResponse, value: unknown, status = 200) => {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
};
const bodyOf = async (request: IncomingMessage) => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString("utf8")) as Record<string, unknown>;
};
const DECISION = { action: "recommend", confidence: 0.8, rationale: "A fine thing." };
const items = [
  { id: 9, score: 0.5, because: [{ id: 1, share: 1 }] },
  { id: 7, score: 0.4 },
  { id: 9999, score: 0.3 },
];
const goodRecommender = () => dependency((_, res) => json(res, { items, model_version: "3", mode: "model" }));
const goodRouter = () => dependency((_, res) => json(res, { decision: DECISION }));

describe("the product page", () => {
  test("is put together from catalogue, recommender and assistant", async () => {
    const asked: Record<string, unknown>[] = [];
    const recommender = await dependency(async (req, res) => {
      asked.push(await bodyOf(req));
      json(res, { items, model_version: "3", mode: "model" });
    });
    const { page } = await shop({ RECOMMENDER_URL: `${recommender}/`, LLM_ROUTER_URL: await goodRouter() });
    const { status, body } = await page();
    expect(status).toBe(200);
    expect(asked).toEqual([{ history: [1, 2, 7], k: 5 }]);
    // Neither the product itself nor one that the catalogue does not have.
    expect(body.recommendations.map((r) => r.id)).toEqual([9]);
    expect(body.blurb).toBe("A fine thing.");
    expect(body.degraded).toEqual([]);
  });

  const sick: Record<string, { listener: RequestListener; why: string }> = {
    "refuses with 500": { listener: (_, res) => json(res, {}, 500), why: "refused" },
    "answers HTML": { listener: (_, res) => void res.end("<html>"), why: "invalid" },
    "answers another shape": { listener: (_, res) => json(res, { items: "all" }), why: "invalid" },
    "answers without end": {
      listener: (_, res) => void res.writeHead(200).write(Buffer.alloc(200_000, "1")),
      why: "invalid",
    },
    "never answers": { listener: () => {}, why: "deadline" },
    redirects: { listener: (_, res) => void res.writeHead(302, { location: "/" }).end(), why: "refused" },
  };
  test.each(Object.entries(sick))("is whole though degraded when both %s", async (_, { listener, why }) => {
    const url = await dependency(listener);
    const { page, metrics } = await shop({ RECOMMENDER_URL: url, LLM_ROUTER_URL: url });
    const { status, body } = await page();
    expect(status).toBe(200);
    expect(body.recommendations).toHaveLength(5);
    expect(body.blurb).toBe(body.product.description);
    expect(body.degraded).toEqual(["recommendations", "blurb"]);
    expect(body.parts).toMatchObject({
      recommendations: { from: "catalogue", why },
      blurb: { from: "catalogue", why },
    });
    expect(await metrics()).toContain('page_degraded_total{part="blurb"} 1');
    expect(await metrics()).toContain(
      `page_dependency_calls_total{dependency="recommender",result="${why}"} 1`,
    );
  });

  test("is whole when nobody listens, and soon asks no more", async () => {
    const { page } = await shop({
      RECOMMENDER_URL: "http://127.0.0.1:1",
      LLM_ROUTER_URL: "http://127.0.0.1:1",
    });
    for (let k = 0; k < 5; k++) expect((await page()).body.parts.blurb?.why).toBe("unreachable");
    expect((await page()).body.parts).toMatchObject({
      recommendations: { why: "circuit_open" },
      blurb: { why: "circuit_open" },
    });
  });

  test("needs no other service", async () => {
    const { body } = await (await shop({})).page("/products/7/page");
    expect(body.parts.blurb).toEqual({ from: "catalogue", why: "not_configured" });
  });

  test("never uses words without confidence", async () => {
    const decision = { action: "safemode_fallback", confidence: 0, rationale: "never to be shown" };
    const router = await dependency((_, res) => json(res, { decision }));
    const { page } = await shop({ RECOMMENDER_URL: await goodRecommender(), LLM_ROUTER_URL: router });
    const { body } = await page();
    expect(body.blurb).toBe(body.product.description);
    expect(body.parts.blurb?.why).toBe("safe_mode");
  });

  test.each(["/products/7/page?history=a", "/products/7/page?history=1,,2", "/products/x/page"])(
    "says what is wrong with %s",
    async (path) => {
      const { status, body } = await (await shop({})).page(path);
      expect(status).toBe(400);
      expect(body.field).toMatch(/^(history|id)$/);
    },
  );

  test("knows no product 501", async () => {
    expect((await (await shop({})).page("/products/501/page")).status).toBe(404);
  });

  test.each(["ftp://x", "x", "http://u:p@x"])("refuses RECOMMENDER_URL=%s", async (url) => {
    await expect(shop({ RECOMMENDER_URL: url })).rejects.toThrow(/RECOMMENDER_URL/);
  });
});
