import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createRegistry } from "../../../common/telemetry/registry.ts";
import { capturedLog, eventually, ManualClock, temporaryDirectory } from "../../kit/kit.testkit.ts";
import { SqliteQueue } from "../../queue/sqlite-queue.ts";
import { CIRCUIT_OPEN_MESSAGE, type Outcome } from "../assistants/failover.ts";
import type { ModelDecision } from "../decision.ts";
import { JobMetrics } from "./metrics.ts";
import { afterFailure } from "./retry.ts";
import { SqliteJobLog } from "./sqlite-log.ts";
import { submitJob } from "./submit.ts";
import { decodePayload, encodePayload, type JobEvent, RETENTION_MS } from "./types.ts";
import { JOB_LANE, JobWorker } from "./worker.ts";

const DECISION: ModelDecision = { action: "clear_cache", confidence: 0.8, rationale: "stale" };
const DECIDED: Outcome = { decided: true, decision: DECISION, assistant: "primary" };
const FAILED: Outcome = { decided: false, circuitOpen: false, aborted: false, message: "none" };
const OPEN: Outcome = { decided: false, circuitOpen: true, aborted: false, message: CIRCUIT_OPEN_MESSAGE };

let dir: ReturnType<typeof temporaryDirectory>;
let clock: ManualClock;
let parts: ReturnType<typeof openParts>;
let decide: (prompt: string) => Promise<Outcome>;

function openParts(options: { readonly capacity?: number; readonly maxEnded?: number } = {}) {
  const { lines, logger } = capturedLog();
  const queue = new SqliteQueue({
    file: join(dir.path, "jobs.sqlite"),
    lanes: [JOB_LANE],
    laneCapacity: options.capacity ?? 100,
    dedupWindowMs: RETENTION_MS,
    nowMs: () => clock.wallMs(),
  });
  const log = new SqliteJobLog({
    file: join(dir.path, "log.sqlite"),
    nowMs: () => clock.wallMs(),
    ...(options.maxEnded === undefined ? {} : { maxEnded: options.maxEnded }),
  });
  const registry = createRegistry({ processMetrics: false });
  const metrics = new JobMetrics(registry, () => queue.deadCount());
  const worker = new JobWorker({
    queue,
    log,
    metrics,
    logger,
    decide: (prompt) => decide(prompt),
    concurrency: 4,
    slowdown: () => 1,
    monoMs: () => performance.now(),
  });
  return {
    queue,
    log,
    worker,
    registry,
    lines,
    submit: (prompt: string, key?: string) => submitJob({ queue, log, metrics }, { prompt, key }),
    close: async () => {
      await worker.stop();
      await log.close();
      await queue.close();
    },
  };
}

beforeEach(() => {
  dir = temporaryDirectory();
  clock = new ManualClock();
  decide = async () => DECIDED;
  parts = openParts();
});
afterEach(async () => {
  await parts.close();
  dir.remove();
});

/** Lets the worker look until the job has so many events, and nothing is under way. */
async function eventsOf(jobId: string, count: number): Promise<readonly JobEvent[]> {
  return eventually(async () => {
    parts.worker.poke();
    const events = await parts.log.events(jobId, 0);
    return events.length >= count && parts.worker.busy === 0 ? events : undefined;
  });
}

describe("the retries", () => {
  test("attempts come after 0, 2, 4 and 8 s, the last wait again, and end after 5", () => {
    expect([0, 1, 2, 3, 4].map(afterFailure)).toEqual(
      [0, 2_000, 4_000, 8_000, 8_000].map((delayMs) => ({ retry: true, delayMs })),
    );
    expect(afterFailure(5)).toEqual({ retry: false });
  });

  test("a job fails at its times, not before, and becomes a dead letter with the safe answer", async () => {
    let calls = 0;
    decide = async () => {
      calls += 1;
      return FAILED;
    };
    const { jobId } = await parts.submit("x");
    await eventsOf(jobId, 2);
    for (const [index, waitMs] of [2_000, 4_000, 8_000, 8_000].entries()) {
      clock.advance(waitMs - 1);
      parts.worker.poke();
      expect(parts.queue.take(JOB_LANE, 10)).toEqual([]);
      expect(calls).toBe(index + 1);
      clock.advance(1);
      await eventsOf(jobId, index + 3);
    }
    expect(calls).toBe(5);
    const events = await parts.log.events(jobId, 0);
    expect(events.map(({ event, seq }) => `${seq} ${event}`)).toEqual([
      "1 queued",
      "2 error",
      "3 error",
      "4 error",
      "5 error",
      "6 dead_letter",
    ]);
    expect(events.at(-1)).toMatchObject({
      attempt: 5,
      decision: { action: "safemode_fallback", confidence: 0 },
    });
    await eventually(() => parts.queue.deadCount() === 1);
    expect(await parts.queue.deadLetters({ limit: 10 })).toMatchObject([{ key: jobId, failures: 5 }]);
    expect(parts.queue.depth(JOB_LANE)).toBe(0);
  });

  test("while the circuit is open: the event and the log line of the contract, with the job's id", async () => {
    decide = async () => OPEN;
    const { jobId } = await parts.submit("x");
    const events = await eventsOf(jobId, 2);
    expect(events[1]).toEqual({
      event: "error",
      message: "Circuit Breaker ativado: API LLM indisponível.",
      jobId,
      seq: 2,
      at: expect.any(String),
      attempt: 1,
      retryInSeconds: 2,
    });
    expect(parts.lines.find((line) => line.jobId === jobId)).toMatchObject({
      level: "error",
      event: "error",
      message: "Circuit Breaker ativado: API LLM indisponível.",
    });
  });

  test("a replayed dead letter is attempted again, from the first wait, on the same log", async () => {
    decide = async () => FAILED;
    const { jobId } = await parts.submit("x");
    for (const [index, waitMs] of [0, 2_000, 4_000, 8_000, 8_000].entries()) {
      clock.advance(waitMs);
      await eventsOf(jobId, index + 2);
    }
    await eventually(() => parts.queue.deadCount() === 1);
    decide = async () => DECIDED;
    expect(await parts.queue.replay({ limit: 10 })).toBe(1);
    const events = await eventsOf(jobId, 8);
    expect(events.slice(6).map(({ event }) => event)).toEqual(["queued", "result"]);
    expect(events[7]).toMatchObject({ attempt: 1, decision: DECISION });
    expect(await parts.log.find(jobId)).toMatchObject({ state: "succeeded", lastSeq: 8 });
  });
});

describe("what survives", () => {
  test("a job that was accepted is done by the next process, from the attempt it was at", async () => {
    decide = async () => FAILED;
    const { jobId } = await parts.submit("survivor");
    await eventsOf(jobId, 2);
    await parts.close();
    clock.advance(2_000);
    const prompts: string[] = [];
    decide = async (prompt) => {
      prompts.push(prompt);
      return DECIDED;
    };
    parts = openParts();
    const events = await eventsOf(jobId, 3);
    expect(prompts).toEqual(["survivor"]);
    expect(events[2]).toMatchObject({ event: "result", attempt: 2 });
  });

  test("an attempt that the stop cut off is no failure: it is made again", async () => {
    decide = async () => ({ decided: false, circuitOpen: false, aborted: true, message: "stops" });
    const { jobId } = await parts.submit("x");
    let asked = 0;
    const aborting = decide;
    decide = (prompt) => {
      asked += 1;
      return aborting(prompt);
    };
    await eventually(() => {
      parts.worker.poke();
      return asked > 0;
    });
    await parts.close();
    decide = async () => DECIDED;
    parts = openParts();
    expect((await eventsOf(jobId, 2)).map(({ event }) => event)).toEqual(["queued", "result"]);
  });

  test("a job that is delivered again while it is worked on is given back, not worked on twice", async () => {
    let asked = 0;
    let answer: (outcome: Outcome) => void = () => undefined;
    decide = () => {
      asked += 1;
      return new Promise((resolve) => {
        answer = resolve;
      });
    };
    const { jobId } = await parts.submit("x");
    const { take, settle } = parts.queue;
    const verdicts: string[] = [];
    parts.queue.take = (lane, limit) => {
      const taken = take.call(parts.queue, lane, limit);
      return taken.flatMap((delivery) => [delivery, { ...delivery, id: delivery.id + 1_000 }]);
    };
    parts.queue.settle = (settlements) => {
      for (const { delivery, verdict } of settlements) verdicts.push(`${delivery.key} ${verdict}`);
      return settle.call(parts.queue, settlements);
    };
    await eventually(() => {
      parts.worker.poke();
      return asked > 0;
    });
    answer(DECIDED);
    expect(await eventsOf(jobId, 2)).toHaveLength(2);
    expect(asked).toBe(1);
    expect(verdicts).toEqual([`${jobId} release`, `${jobId} done`]);
  });

  test("a result that was recorded before the process ended is not decided again", async () => {
    const { jobId } = await parts.submit("x");
    await parts.log.append(jobId, { event: "result", decision: DECISION, actionable: true, attempt: 1 });
    decide = async () => {
      throw new Error("asked again");
    };
    await eventually(() => {
      parts.worker.poke();
      return parts.queue.depth(JOB_LANE) === 0;
    });
    expect(await parts.log.events(jobId, 0)).toHaveLength(2);
  });

  test("a dead letter that was recorded before the process ended is not attempted again", async () => {
    decide = async () => FAILED;
    const { jobId } = await parts.submit("x");
    for (const [index, waitMs] of [0, 2_000, 4_000, 8_000].entries()) {
      clock.advance(waitMs);
      await eventsOf(jobId, index + 2);
    }
    const { acceptedMs } = (await parts.log.find(jobId)) ?? { acceptedMs: 0 };
    expect(acceptedMs).toBeGreaterThan(0);
    const end = { event: "dead_letter", message: "none", attempt: 5, decision: DECISION } as const;
    await parts.log.append(jobId, end, acceptedMs);
    clock.advance(8_000);
    await eventually(() => {
      parts.worker.poke();
      return parts.queue.deadCount() === 1;
    });
    expect(await parts.log.find(jobId)).toMatchObject({ state: "dead", lastSeq: 6 });
  });

  test("a job ends once: what comes after the end is not recorded", async () => {
    const { jobId } = await parts.submit("x");
    const result = { event: "result", decision: DECISION, actionable: true, attempt: 1 } as const;
    const both = await Promise.all([parts.log.append(jobId, result), parts.log.append(jobId, result)]);
    expect(both.filter((event) => event !== undefined)).toHaveLength(1);
    expect(await parts.log.append(jobId, { ...result, attempt: 2 })).toBeUndefined();
  });

  test("a log that cannot be written: the job stays, and is done when it can be again", async () => {
    const { jobId } = await parts.submit("x");
    const { append } = parts.log;
    let refused = 0;
    parts.log.append = () => {
      refused += 1;
      return Promise.reject(new Error("disk full"));
    };
    await eventually(() => {
      parts.worker.poke();
      return refused > 0;
    });
    parts.log.append = append.bind(parts.log);
    expect((await eventsOf(jobId, 2))[1]).toMatchObject({ event: "result" });
    expect(parts.lines.some((line) => line.message === "job could not be recorded, trying again")).toBe(true);
  });
});

describe("submitting", () => {
  test("the same key and prompt is one job; the same key for another prompt is refused", async () => {
    const [first, second] = await Promise.all([parts.submit("x", "k1"), parts.submit("x", "k1")]);
    expect(second.jobId).toBe(first.jobId);
    expect([first.repeated, second.repeated].filter(Boolean)).toHaveLength(1);
    expect(parts.queue.depth(JOB_LANE)).toBe(1);
    await expect(parts.submit("y", "k1")).rejects.toMatchObject({ status: 422 });
    await eventsOf(first.jobId, 2);
    expect(await parts.submit("x", "k1")).toEqual({ jobId: first.jobId, repeated: true });
    expect(parts.queue.depth(JOB_LANE)).toBe(0);
  });

  test.each(["", " ", "a b", "é", "x".repeat(201)])("%j is no key", async (key) => {
    await expect(parts.submit("x", key)).rejects.toMatchObject({ status: 400 });
  });

  test("a full queue and one that cannot write answer 503, and nothing was accepted", async () => {
    await parts.close();
    parts = openParts({ capacity: 1 });
    await parts.submit("x");
    await expect(parts.submit("y", "k2")).rejects.toMatchObject({
      status: 503,
      headers: { "retry-after": "2" },
    });
    expect(parts.queue.depth(JOB_LANE)).toBe(1);
    await parts.queue.close();
    await expect(parts.submit("z")).rejects.toMatchObject({ status: 503 });
    expect(await parts.registry.metrics()).toContain(
      'llm_router_jobs_submitted_total{result="unavailable"} 1',
    );
  });

  test("what is no job is buried, not tried for ever", async () => {
    await parts.queue.offer({ lane: JOB_LANE, key: "strange", payload: new Uint8Array([1, 2]) });
    await eventually(() => {
      parts.worker.poke();
      return parts.queue.deadCount() === 1;
    });
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(decodePayload(bytes)).toBeUndefined();
      }),
    );
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (prompt) => {
        expect(decodePayload(encodePayload({ prompt, digest: "d" }))).toEqual({ prompt, digest: "d" });
      }),
    );
  });
});

describe("the log", () => {
  test("keeps what ended for 24 hours and at most so many, and what waits", async () => {
    await parts.close();
    parts = openParts({ maxEnded: 2 });
    const ids: string[] = [];
    for (const prompt of ["a", "b", "c"]) {
      const { jobId } = await parts.submit(prompt);
      await eventsOf(jobId, 2);
      clock.advance(1_000);
      ids.push(jobId);
    }
    decide = async () => FAILED;
    const waiting = (await parts.submit("d")).jobId;
    const present = async () => {
      await parts.log.prune();
      const found = await Promise.all([...ids, waiting].map((id) => parts.log.find(id)));
      return found.map((job) => job !== undefined);
    };
    expect(await present()).toEqual([false, true, true, true]);
    clock.advance(RETENTION_MS - 1_500);
    expect(await present()).toEqual([false, false, true, true]);
    clock.advance(1_500);
    expect(await present()).toEqual([false, false, false, true]);
    expect(await parts.log.events(ids[0] ?? "", 0)).toEqual([]);
  });

  test("tells listeners in order, once each, and only what is durable", async () => {
    const seen: string[] = [];
    const stop = parts.log.onEvent(({ seq, event }) => void seen.push(`${seq} ${event}`));
    const { jobId } = await parts.submit("x");
    await eventsOf(jobId, 2);
    stop();
    await parts.log.append(jobId, { event: "queued" });
    expect(seen).toEqual(["1 queued", "2 result"]);
  });
});
