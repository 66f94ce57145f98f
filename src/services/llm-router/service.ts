import { randomUUID } from "node:crypto";
import { json, type RequestHandler } from "express";
import type { ServiceDefinition, StartOptions } from "../kit/definition.ts";
import { HttpError } from "../kit/errors.ts";
import type { Mitigation } from "../kit/mitigation.ts";
import type { Routes } from "../kit/routes.ts";
import { type RunningService, type ServiceContext, startService } from "../kit/service.ts";
import type { DurableQueue } from "../queue/types.ts";
import { CIRCUIT_OPEN_MESSAGE, Failover } from "./assistants/failover.ts";
import { fallbackDecision, MODEL_ACTIONS } from "./decision.ts";
import { BODY_LIMIT, isJobId, parseAfter, readPrompt } from "./input.ts";
import { JobMetrics } from "./jobs/metrics.ts";
import { openJobStore } from "./jobs/open-store.ts";
import { submitJob } from "./jobs/submit.ts";
import type { JobLog } from "./jobs/types.ts";
import { JOB_LANE, JobWorker } from "./jobs/worker.ts";
import { type RouterSettings, readRouterSettings } from "./settings.ts";
import { SocketHub } from "./socket/hub.ts";

/** Prompts that are answered at the same time; what comes beyond gets the safe answer at once. */
const MAX_ROUTED = 256;
/** The line about an open circuit is logged at most so often for `/route`, milliseconds. */
const OPEN_LOG_MS = 1_000;
const MAX_DEAD_LISTED = 1_000;

/** Routes prompts to the assistants, with failover, a circuit breaker, a safe answer, and durable jobs. */
export const llmRouter: ServiceDefinition = {
  name: "llm-router",
  job: "llm-router",
  defaultPort: 8002,
  summary: "decisions of the LLM assistants with failover, circuit breaker and durable jobs",
  start: startRouter,
};

/** What the routes and the stop need, once the service is built. */
interface Parts {
  readonly failover: Failover;
  readonly queue: DurableQueue;
  readonly log: JobLog;
  readonly metrics: JobMetrics;
  readonly worker: JobWorker;
  readonly hub: SocketHub;
}

async function startRouter(options: StartOptions): Promise<RunningService> {
  const settings = readRouterSettings(options.env);
  let parts: Parts | undefined;
  const running = await startService({
    ...options,
    name: llmRouter.name,
    extraMitigations: [replayDeadLetters(() => parts)],
    routes: async (app, ctx) => {
      parts = await build(ctx, settings);
      registerRoutes(app, ctx, parts);
      registerJobs(app, parts);
      parts.worker.start();
    },
  });
  return {
    ...running,
    // A WebSocket would hold the HTTP server open for ever: its clients are sent away before it is asked to stop.
    close: async () => {
      await parts?.hub.close();
      await running.close();
    },
  };
}

async function build(ctx: ServiceContext, settings: RouterSettings): Promise<Parts> {
  const { logger, registry, clock } = ctx;
  const failover = new Failover({
    assistants: settings.assistants,
    deadlineMs: settings.deadlineMs,
    ...settings.breaker,
    clock,
    logger,
    registry,
  });
  ctx.onClose(() => failover.close());
  const { dataDir } = ctx;
  const { natsUrl } = settings;
  const store = await openJobStore({ natsUrl, capacity: settings.jobs.capacity, dataDir, clock, logger });
  ctx.onClose(() => store.close());
  const { queue, log } = store;
  const metrics = new JobMetrics(registry, () => queue.deadCount());
  const worker = new JobWorker({
    queue,
    log,
    metrics,
    logger,
    decide: (prompt) => failover.decide(prompt),
    concurrency: settings.jobs.concurrency,
    slowdown: () => ctx.backlogFactor(),
    monoMs: () => clock.monoMs(),
  });
  // Runs before the closers above: the calls under way end first, then what they have left is written down.
  ctx.onClose(async () => {
    await failover.close();
    await worker.stop();
  });
  ctx.addQueue({ name: "jobs", depth: () => queue.depth(JOB_LANE) });
  ctx.addHealth(() => ({ circuits: failover.states(), jobs_waiting: queue.depth(JOB_LANE) }));
  const hub = new SocketHub({
    server: ctx.server,
    log,
    registry,
    pingMs: settings.pingMs,
    hosts: settings.hosts,
  });
  ctx.onClose(() => hub.close());
  return { failover, queue, log, metrics, worker, hub };
}

function registerRoutes(app: Routes, ctx: ServiceContext, { failover }: Parts): void {
  let routed = 0;
  let loggedMs = Number.NEGATIVE_INFINITY;
  app.get("/", (_request, response) => {
    response.json({
      service: ctx.name,
      version: ctx.version,
      actions: MODEL_ACTIONS,
      routes: ["POST /route", "POST /jobs", "GET /jobs/:id", "GET /dead-letters", "GET /ws (WebSocket)"],
    });
  });
  const logOpenCircuit = () => {
    const nowMs = ctx.clock.monoMs();
    if (nowMs - loggedMs < OPEN_LOG_MS) return;
    loggedMs = nowMs;
    ctx.logger.error({ event: "error", jobId: `route-${randomUUID()}` }, CIRCUIT_OPEN_MESSAGE);
  };
  app.post("/route", json({ limit: BODY_LIMIT }), async (request, response) => {
    const prompt = readPrompt(request.body);
    if (routed >= MAX_ROUTED) {
      failover.metrics.decided("fallback");
      const decision = fallbackDecision("Too many prompts at the same time.");
      response.setHeader("x-decision-source", "fallback").json({ decision });
      return;
    }
    routed += 1;
    try {
      const outcome = await failover.decide(prompt);
      if (!outcome.decided && outcome.circuitOpen) logOpenCircuit();
      const source = outcome.decided ? outcome.assistant : "fallback";
      failover.metrics.decided(source);
      response.setHeader("x-decision-source", source);
      response.json({ decision: outcome.decided ? outcome.decision : fallbackDecision(outcome.message) });
    } finally {
      routed -= 1;
    }
  });
}

function registerJobs(app: Routes, parts: Parts): void {
  const { queue, log, metrics, worker } = parts;
  const submit: RequestHandler = async (request, response) => {
    const prompt = readPrompt(request.body);
    const key = request.headers["idempotency-key"];
    const submission = { prompt, key: typeof key === "string" ? key : undefined };
    const { jobId, repeated } = await submitJob({ queue, log, metrics }, submission);
    worker.poke();
    if (repeated) response.setHeader("idempotent-replay", "true");
    response
      .status(202)
      .location(`/jobs/${jobId}`)
      .json({ jobId, status: `/jobs/${jobId}`, results: `/ws?jobId=${jobId}` });
  };
  app.post("/jobs", json({ limit: BODY_LIMIT }), submit);
  app.get("/jobs/:id", async (request, response) => {
    const jobId = String(request.params.id);
    if (!isJobId(jobId)) throw badField("id", "the id of a job, as POST /jobs answers it");
    const after = parseAfter(String(request.query.after ?? "0"));
    if (after === undefined) throw badField("after", "the seq of the last event seen, a whole number");
    const job = await log.find(jobId);
    if (job === undefined) {
      throw new HttpError(404, {
        error: "there is no such job",
        field: "id",
        expected: "the id of a job of the last 24 hours",
      });
    }
    response.json({ jobId, state: job.state, events: await log.events(jobId, after) });
  });
  app.get("/dead-letters", async (request, response) => {
    const text = String(request.query.limit ?? "100");
    const limit = /^\d{1,4}$/.test(text) ? Number(text) : 0;
    if (limit < 1 || limit > MAX_DEAD_LISTED) {
      throw badField("limit", `a whole number, 1 <= limit <= ${MAX_DEAD_LISTED}`);
    }
    // Without their prompts: these may be private, and this needs no token.
    const letters = (await queue.deadLetters({ limit })).map(({ key, reason, failures, deadMs }) => ({
      jobId: key,
      reason,
      failures,
      at: new Date(deadMs).toISOString(),
    }));
    response.json({ total: queue.deadCount(), deadLetters: letters });
  });
}

/** `POST /admin/mitigate?action=replay-dead-letters[&limit=N]` */
function replayDeadLetters(parts: () => Parts | undefined): Mitigation {
  return {
    action: "replay-dead-letters",
    parameters: [
      {
        name: "limit",
        type: "number",
        unit: "dead letters",
        min: 1,
        max: MAX_DEAD_LISTED,
        integer: true,
        optional: true,
      },
    ],
    async run(values) {
      const limit = values.optionalNumber("limit") ?? MAX_DEAD_LISTED;
      const replayed = await parts()?.queue.replay({ limit });
      parts()?.worker.poke();
      return { replayed: replayed ?? 0 };
    },
  };
}

function badField(field: string, expected: string): HttpError {
  return new HttpError(400, { error: `${field} is not valid`, field, expected });
}
