import type { ServerResponse } from "node:http";
import { describe, expect, test } from "vitest";
import { eventually } from "../kit/kit.testkit.ts";
import { answersStatus, answersWell, GOOD_DECISION, sendText } from "./assistant.testkit.ts";
import { CIRCUIT_OPEN_MESSAGE } from "./assistants/failover.ts";
import { useRouter } from "./router.testkit.ts";

const bench = useRouter();
const FALLBACK = { action: "safemode_fallback", confidence: 0, rationale: expect.any(String) };

describe("POST /route", () => {
  test("answers the decision, and only that", async () => {
    const { status, json, headers } = await bench.post("/route", {
      prompt: "stale cache",
      provider: "local",
    });
    expect([status, json]).toEqual([200, { decision: GOOD_DECISION }]);
    expect(headers.get("x-decision-source")).toBe("primary");
    expect((await bench.post("/route", { prompt: "x", provider: "LOCAL" })).status).toBe(200);
    expect((await bench.post("/route", { prompt: "x" })).status).toBe(200);
  });

  test("fails over, and fails open with 200 and confidence 0.0", async () => {
    bench.primary.behave(answersStatus(503));
    expect((await bench.post("/route", { prompt: "x" })).headers.get("x-decision-source")).toBe("secondary");
    bench.secondary.behave((response) => sendText(response, '{"action":"restart_service"}'));
    const { status, json } = await bench.post("/route", { prompt: "x" });
    expect([status, json]).toEqual([200, { decision: FALLBACK }]);
  });

  test("both hang: the safe answer comes after both deadlines, not later", async () => {
    bench.primary.behave(() => undefined);
    bench.secondary.behave(() => undefined);
    const startMs = performance.now();
    expect((await bench.post("/route", { prompt: "x" })).json).toEqual({ decision: FALLBACK });
    const tookMs = performance.now() - startMs;
    expect(tookMs).toBeGreaterThanOrEqual(1_980);
    expect(tookMs).toBeLessThan(10_000);
  });

  test("while the circuits are open: at once, with the message of the contract, and in the log", async () => {
    bench.primary.behave(answersStatus(500));
    bench.secondary.behave(answersStatus(500));
    for (let call = 0; call < 5; call += 1) await bench.post("/route", { prompt: "x" });
    const before = bench.primary.calls() + bench.secondary.calls();
    const { status, json } = await bench.post("/route", { prompt: "x" });
    expect([status, json]).toEqual([
      200,
      { decision: { action: "safemode_fallback", confidence: 0, rationale: CIRCUIT_OPEN_MESSAGE } },
    ]);
    expect(bench.primary.calls() + bench.secondary.calls()).toBe(before);
    expect(bench.lines.filter((line) => line.message === CIRCUIT_OPEN_MESSAGE)).toMatchObject([
      { event: "error", level: "error", jobId: expect.stringMatching(/^route-/) },
    ]);
    expect((await bench.get("/health")).json).toMatchObject({
      circuits: { primary: "open", secondary: "open" },
    });
  });

  test("more prompts at the same time than it takes: the rest gets the safe answer at once", async () => {
    await bench.restart({ LLM_ASSISTANT_TIMEOUT_MS: "60000" });
    const waiting: ServerResponse[] = [];
    bench.primary.behave((response) => void waiting.push(response));
    bench.secondary.behave(answersStatus(500));
    const held = Array.from({ length: 256 }, () => bench.post("/route", { prompt: "x" }));
    await eventually(async () => (await bench.metrics()).includes("http_requests_inprogress 256"));
    const { json } = await bench.post("/route", { prompt: "x" });
    expect(json).toMatchObject({ decision: { rationale: "Too many prompts at the same time." } });
    bench.primary.behave(answersStatus(500));
    for (const response of waiting) response.writeHead(500).end();
    for (const answer of await Promise.all(held)) expect(answer.json).toEqual({ decision: FALLBACK });
  });

  test.each<[string, unknown, number, string]>([
    ["no body", "", 400, "prompt"],
    ["a list", [], 400, "(body)"],
    ["no prompt", { provider: "local" }, 400, "prompt"],
    ["a number", { prompt: 7 }, 400, "prompt"],
    ["blanks", { prompt: " \n" }, 400, "prompt"],
    ["half a surrogate pair", '{"prompt":"\\ud800"}', 400, "prompt"],
    ["a long prompt", { prompt: "x".repeat(8_001) }, 400, "prompt"],
    ["a further field", { prompt: "x", temperature: 1 }, 400, "temperature"],
    ["a provider that is no text", { prompt: "x", provider: null }, 400, "provider"],
    ["an unknown provider", { prompt: "x", provider: "openai" }, 501, "provider"],
    ["a provider named like a property", { prompt: "x", provider: "constructor" }, 501, "provider"],
  ])("%s is refused by name, for jobs too", async (_name, body, status, field) => {
    for (const path of ["/route", "/jobs"]) {
      const answer = await bench.post(path, body);
      expect(answer.status).toBe(status);
      expect(answer.json).toMatchObject({ field, expected: expect.any(String) });
    }
    expect(bench.primary.calls()).toBe(0);
  });

  test("broken JSON is 400, a body over 64 KiB 413, another method 405", async () => {
    expect((await bench.post("/route", '{"prompt":')).status).toBe(400);
    expect((await bench.post("/route", { prompt: "x".repeat(70_000) })).status).toBe(413);
    expect((await fetch(`${bench.url}/route`)).status).toBe(405);
    expect((await bench.post("/route", { prompt: "x".repeat(8_000) })).status).toBe(200);
  });
});

describe("jobs", () => {
  test("202 with an id; the result is there to read, and is kept over a restart", async () => {
    const { status, json, headers } = await bench.post("/jobs", { prompt: "stale cache" });
    expect(status).toBe(202);
    expect(json.jobId).toMatch(/^job-[0-9a-f]{32}$/);
    expect(headers.get("location")).toBe(`/jobs/${json.jobId}`);
    const done = await eventually(async () => {
      const job = await bench.get(`/jobs/${json.jobId}`);
      return job.json.state === "succeeded" ? job.json : undefined;
    });
    expect(done.events).toMatchObject([
      { event: "queued", seq: 1 },
      { event: "result", seq: 2, decision: GOOD_DECISION, actionable: true, attempt: 1 },
    ]);
    await bench.restart();
    expect((await bench.get(`/jobs/${json.jobId}`)).json).toEqual(done);
    expect((await bench.get(`/jobs/${json.jobId}?after=1`)).json.events).toHaveLength(1);
    expect((await bench.get(`/jobs/${json.jobId}?after=x`)).status).toBe(400);
  });

  test("a decision with confidence 0.0 is passed on as what nothing may follow from", async () => {
    bench.primary.behave((response) =>
      sendText(response, JSON.stringify({ ...GOOD_DECISION, confidence: 0 })),
    );
    const { jobId } = (await bench.post("/jobs", { prompt: "x" })).json;
    const client = await bench.socket(`?jobId=${jobId}`);
    expect(await client.next("result")).toMatchObject({ actionable: false, decision: { confidence: 0 } });
  });

  test("an idempotency key: one job; for another prompt 422", async () => {
    const key = { "idempotency-key": "order-7" };
    const first = await bench.post("/jobs", { prompt: "x" }, key);
    const again = await bench.post("/jobs", { prompt: "x" }, key);
    expect([again.status, again.json.jobId]).toEqual([202, first.json.jobId]);
    expect(again.headers.get("idempotent-replay")).toBe("true");
    expect((await bench.post("/jobs", { prompt: "y" }, key)).status).toBe(422);
    expect((await bench.post("/jobs", { prompt: "y" }, { "idempotency-key": "a b" })).status).toBe(400);
  });

  test("an invalid id is 400, an unknown one 404; bad limits are 400", async () => {
    expect((await bench.get("/jobs/1%27%20OR%201")).status).toBe(400);
    expect((await bench.get(`/jobs/job-${"0".repeat(32)}`)).status).toBe(404);
    for (const limit of ["0", "1001", "-1", "x"])
      expect((await bench.get(`/dead-letters?limit=${limit}`)).status).toBe(400);
    expect((await bench.get("/dead-letters")).json).toEqual({ total: 0, deadLetters: [] });
  });

  test("a restart in the middle of an attempt loses nothing and counts no failure", async () => {
    bench.primary.behave(() => undefined);
    await bench.restart({ LLM_ASSISTANT_TIMEOUT_MS: "20000" });
    const { jobId } = (await bench.post("/jobs", { prompt: "x" })).json;
    await eventually(() => bench.primary.calls() > 0);
    bench.primary.behave(answersWell);
    await bench.restart();
    const client = await bench.socket(`?jobId=${jobId}`);
    expect(await client.next("result")).toMatchObject({ attempt: 1 });
  });

  test("more jobs than it holds: 503 with retry-after; the backlog fault slows the worker", async () => {
    await bench.restart({ LLM_ROUTER_JOB_CAPACITY: "3", LLM_ROUTER_JOB_CONCURRENCY: "1" });
    const fault = await bench.admin("fault?mode=backlog&factor=1000");
    expect(fault.status).toBe(200);
    const statuses: number[] = [];
    for (let count = 0; count < 5; count += 1)
      statuses.push((await bench.post("/jobs", { prompt: "x" })).status);
    expect(statuses.slice(0, 3)).toEqual([202, 202, 202]);
    expect(statuses[4]).toBe(503);
    expect(await bench.metrics()).toMatch(/queue_depth\{queue="jobs"\} [23]/);
  });

  test("admin calls with another service's modes and actions are refused by name", async () => {
    expect(await bench.admin("fault?mode=drift&ratio=1")).toMatchObject({
      status: 400,
      json: { parameter: "mode", expected: "one of latency, leak, error, backlog, blackout" },
    });
    expect(await bench.admin("mitigate?action=force-fallback&seconds=5")).toMatchObject({ status: 400 });
    expect(await bench.admin("mitigate?action=replay-dead-letters&limit=0")).toMatchObject({ status: 400 });
    expect(await bench.admin("mitigate?action=replay-dead-letters")).toMatchObject({
      status: 200,
      json: { replayed: 0 },
    });
  });
});

describe("settings", () => {
  test.each([
    ["LLM_ASSISTANT_URL", "llm:8003"],
    ["LLM_ASSISTANT_SECONDARY_URL", "http://x/?token=1"],
    ["LLM_ASSISTANT_TIMEOUT_MS", "5s"],
    ["LLM_ROUTER_BREAKER_MIN_CALLS", "0"],
    ["LLM_ROUTER_BREAKER_OPEN_MS", "-1"],
    ["LLM_ROUTER_JOB_CAPACITY", "1e3"],
    ["LLM_ROUTER_JOB_CONCURRENCY", "999"],
    ["LLM_ROUTER_WS_PING_MS", "1"],
    ["NATS_URL", "http://nats:4222"],
  ])("%s=%s is refused by name", async (name, value) => {
    await expect(bench.start({ [name]: value })).rejects.toThrow(`${name} is "${value}": expected`);
  });
});
