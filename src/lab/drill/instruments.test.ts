import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Agent } from "undici";
import { afterEach, describe, expect, test } from "vitest";
import { eventually } from "../../services/kit/kit.testkit.ts";
import { startPageClient, startPredictionClient } from "./clients.ts";
import { createInstruments, silenceOf, startObserver } from "./instruments.ts";

const servers: Server[] = [];
const dispatcher = new Agent();
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

/** A server that answers each path with what `answers` says now; a path it does not know with 500. */
async function serve(answers: Record<string, unknown>): Promise<string> {
  const server = createServer((request, response) => {
    const path = (request.url ?? "").split("?")[0] ?? "";
    const known = Object.keys(answers).find((prefix) => path.startsWith(prefix));
    response.writeHead(known === undefined ? 500 : 200);
    const answer = known === undefined ? "" : answers[known];
    response.end(typeof answer === "string" ? answer : JSON.stringify(answer));
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function instruments(url: string, more: Partial<Parameters<typeof createInstruments>[0]> = {}) {
  return createInstruments({
    urls: new Map([
      ["telemetry-gateway", url],
      ["product-api", url],
    ]),
    mlflowUrl: url,
    dispatcher,
    waits: () => [],
    predictions: () => [],
    ...more,
  });
}

describe("instruments", () => {
  test("read the queue and sums of metrics; what does not answer is unknown", async () => {
    const answers: Record<string, unknown> = {
      "/health": { queue_depth: 7 },
      "/metrics": '# TYPE c counter\nc{region="a",x="1"} 2\nc{region="a",x="2"} 3\nc{region="b"} 5\n',
    };
    const i = instruments(await serve(answers));
    expect(await i.queue()).toBe(7);
    expect(await i.metric("product-api", "c", { region: "a" })).toBe(5);
    expect(await i.metric("product-api", "c")).toBe(10);
    expect(await i.metric("product-api", "nothing")).toBeUndefined();
    expect(await i.mlflowAnswers()).toBe(true);
    delete answers["/health"];
    delete answers["/metrics"];
    expect([await i.queue(), await i.metric("product-api", "c")]).toEqual([undefined, undefined]);
    expect(await i.mlflowAnswers()).toBe(false);
  });

  test("take waits and shares over the last seconds only", async () => {
    const nowS = performance.now() / 1_000;
    const waits = [1, 2, 3].map((n) => ({ atS: nowS - 10, ms: 1000 * n })).concat({ atS: nowS, ms: 20 });
    const answer = (atS: number, ok: boolean, valid: boolean) => ({ atS, ok, valid });
    const predictions = [
      answer(nowS - 10, true, false),
      answer(nowS, true, false),
      answer(nowS, true, true),
      answer(nowS, false, false),
    ];
    const i = instruments("http://127.0.0.1:9", { waits: () => waits, predictions: () => predictions });
    expect(i.p95Ms(5)).toBe(20);
    expect(i.p95Ms(50)).toBeCloseTo(2850);
    expect(i.invalidShare(5)).toBe(0.5);
    expect(instruments("http://127.0.0.1:9").p95Ms(5)).toBeUndefined();
  });
});

describe("silence", () => {
  test("grows while a count stands still, ends when it moves, and is unknown while the count is", async () => {
    let count: number | undefined = 3;
    const silence = silenceOf(async () => count);
    const wait = () => new Promise((resolve) => setTimeout(resolve, 60));
    expect(await silence()).toBe(0);
    await wait();
    expect(await silence()).toBeGreaterThan(0.04);
    count = undefined;
    expect(await silence()).toBeUndefined();
    count = 3;
    expect(await silence()).toBeGreaterThan(0.04);
    // A process that was started again counts from 0.
    count = 0;
    expect(await silence()).toBe(0);
  });
});

test("the observer looks again and again; what throws is unknown", async () => {
  const i = instruments(await serve({ "/health": { queue_depth: 4 } }));
  let looks = 0;
  const observer = startObserver({
    instruments: i,
    everyMs: 10,
    meter: () => {
      looks += 1;
      if (looks % 2 === 0) throw new Error("a broken page");
      return looks;
    },
  });
  await eventually(() => observer.looks().length >= 4);
  await observer.stop();
  const [first, second, third] = observer.looks();
  expect(first).toMatchObject({ queue: 4, level: 1 });
  expect(second).not.toHaveProperty("level");
  expect(third).toMatchObject({ level: 3 });
  const seen = observer.looks().length;
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(observer.looks()).toHaveLength(seen);
});

describe("clients", () => {
  const product = { id: 1, name: "x" };
  const page = {
    product,
    recommendations: [{ id: 2, name: "y", because: [] }],
    blurb: "words",
    degraded: [],
  };

  test.each([
    ["another product than was asked for", { "/products": page }, { ok: true, valid: false }],
    ["no page at all", { "/products": "<html>" }, { ok: true, valid: false, whole: false }],
    ["a failure", {}, { ok: false, valid: false }],
  ])("of pages see %s", async (_, answers, expected) => {
    const client = startPageClient({ baseUrl: await serve(answers), perSecond: 100, seed: 1 });
    await eventually(() => client.answers().length > 5);
    await client.stop();
    // Of 500 products the one in the answer is asked for now and then.
    expect(client.answers().filter((answer) => answer.valid).length).toBeLessThan(3);
    expect(client.answers()[0]).toMatchObject(expected);
  });

  test("of predictions see answers that break their schema", async () => {
    const good = { items: [], model_version: "v", mode: "static", unknown_products: [] };
    const answers: Record<string, unknown> = { "/predict": good };
    const client = startPredictionClient({ baseUrl: await serve(answers), perSecond: 100, seed: 1 });
    await eventually(() => client.answers().length > 3);
    answers["/predict"] = { ...good, items: [{ id: -1 }] };
    await eventually(() => client.answers().at(-1)?.valid === false);
    await client.stop();
    expect(client.answers()[0]).toMatchObject({ ok: true, valid: true });
  });
});
