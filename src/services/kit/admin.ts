import { type NextFunction, type Request, type RequestHandler, type Response, Router, raw } from "express";
import type { Logger } from "pino";
import type { AdminMetrics } from "./admin-metrics.ts";
import { FailedAttempts } from "./attempts.ts";
import { CallGuard, type CallHeaders, checkKey, type GuardedAnswer, readCallHeaders } from "./call-guard.ts";
import type { ServiceClock } from "./clock.ts";
import { HttpError, ParameterError } from "./errors.ts";
import type { FaultSet } from "./faults/fault-set.ts";
import type { Answer, Ledger } from "./ledger.ts";
import type { Mitigation } from "./mitigation.ts";
import { checkParameters, parseQuery, quoted } from "./parameters.ts";
import { refuseMethod } from "./routes.ts";
import type { TokenSource } from "./tokens.ts";

/** Largest body of an admin call, bytes; its content is not used. */
export const MAX_ADMIN_BODY_BYTES = 16 * 1_024;

export interface AdminOptions {
  readonly service: string;
  readonly tokens: TokenSource;
  readonly faults: FaultSet;
  readonly faultInjection: boolean;
  readonly mitigations: readonly Mitigation[];
  readonly ledger: Ledger;
  readonly metrics: AdminMetrics;
  readonly logger: Logger;
  readonly clock: ServiceClock;
}

/** The admin plane, to be mounted at `/admin`. */
export function adminRouter(options: AdminOptions): Router {
  const { ledger, clock, faults } = options;
  const router = Router();
  const guard = new CallGuard(ledger, () => clock.wallMs());
  router.use(requireToken(options));
  const body = raw({ type: () => true, limit: MAX_ADMIN_BODY_BYTES });
  router
    .route("/fault")
    .post(body, (request, response) => injectFault(options, guard, request, response))
    .all(refuseMethod(["POST"]));
  router
    .route("/mitigate")
    .post(body, (request, response) => mitigate(options, guard, request, response))
    .all(refuseMethod(["POST"]));
  router
    .route("/faults")
    .get((_request, response) => {
      response.json({
        service: options.service,
        fault_injection: options.faultInjection,
        modes: faults.modes(),
        faults: faults.describe(clock.monoMs()),
        highest_epoch: ledger.epoch() ?? null,
      });
    })
    .all(refuseMethod(["GET", "HEAD"]));
  router
    .route("/actions/:key")
    .get((request, response) => {
      const key = checkKey(String(request.params.key));
      const entry = ledger.find(key, clock.wallMs());
      if (entry?.answer === undefined) response.status(404).json({ key, applied: false });
      else {
        response.json({ key, applied: true, answer: entry.answer, at: new Date(entry.atMs).toISOString() });
      }
    })
    .all(refuseMethod(["GET", "HEAD"]));
  router.use((request: Request) => {
    throw new HttpError(404, { error: `there is no ${request.originalUrl.slice(0, 200)} here` });
  });
  router.use(auditRefusal(options.logger));
  return router;
}

/** 401 without a valid token; 429 for an address that presents too many wrong ones. */
function requireToken(options: AdminOptions): RequestHandler {
  const { tokens, clock } = options;
  const attempts = new FailedAttempts();
  return (request, _response, next) => {
    const address = addressOf(request);
    const nowMs = clock.monoMs();
    const waitSeconds = attempts.waitSeconds(address, nowMs);
    if (waitSeconds > 0) {
      throw new HttpError(
        429,
        { error: `too many wrong tokens from this address; wait ${waitSeconds} s` },
        { "retry-after": String(waitSeconds) },
      );
    }
    const presented = request.headers["x-admin-token"];
    if (tokens.verify(typeof presented === "string" ? presented : undefined)) {
      next();
      return;
    }
    attempts.add(address, nowMs);
    const problem = presented === undefined ? "missing" : "wrong";
    throw new HttpError(401, {
      error: `the admin token is ${problem}`,
      parameter: "x-admin-token",
      expected: "the header x-admin-token with a token of this service",
    });
  };
}

async function injectFault(
  options: AdminOptions,
  guard: CallGuard,
  request: Request,
  response: Response,
): Promise<void> {
  const { faults, clock, logger } = options;
  if (!options.faultInjection) {
    throw new HttpError(403, {
      error: "fault injection is switched off; start the service with FAULT_INJECTION=1 to switch it on",
    });
  }
  const headers = readCallHeaders(request.headers);
  const planned = faults.plan(parseQuery(request.originalUrl));
  const result = await guard.run(fullCall(request), headers, () => planned.inject(clock.monoMs()));
  if (result.replayed) logReplay(logger, request, headers);
  else logger.warn({ ...flat(result.answer), ...origin(request, headers) }, "fault injected");
  send(response, result);
}

async function mitigate(
  options: AdminOptions,
  guard: CallGuard,
  request: Request,
  response: Response,
): Promise<void> {
  const headers = readCallHeaders(request.headers);
  const run = planMitigation(options, parseQuery(request.originalUrl));
  let cleared: Answer = {};
  const result = await guard.run(fullCall(request), headers, async () => {
    const done = await run();
    cleared = done.details;
    options.metrics.mitigated(options.clock.wallMs());
    return done.answer;
  });
  if (result.replayed) logReplay(options.logger, request, headers);
  else
    logMitigation(
      options.logger,
      { ...flat(result.answer), ...cleared, ...origin(request, headers) },
      headers,
    );
  send(response, result);
}

type MitigationRun = () => Promise<{ readonly answer: Answer; readonly details: Answer }>;

/** The plain mitigation undoes every fault; `action=NAME` runs a mitigation of the service. */
function planMitigation(options: AdminOptions, query: ReadonlyMap<string, string>): MitigationRun {
  const name = query.get("action");
  if (name === undefined) {
    checkParameters({ query, parameters: [], selectors: options.mitigations.length > 0 ? ["action"] : [] });
    return async () => {
      const cleared = options.faults.clear();
      return {
        answer: { reset_latency: true, freed_chunks: cleared.freedChunks },
        details: { cleared: cleared.modes.join(",") || "nothing" },
      };
    };
  }
  const found = options.mitigations.find((mitigation) => mitigation.action === name);
  if (found === undefined) {
    const names = options.mitigations.map((mitigation) => mitigation.action);
    throw new ParameterError({
      error: `unknown action ${quoted(name)}`,
      parameter: "action",
      expected: names.length === 0 ? "no parameter at all" : `one of ${names.join(", ")}, or none`,
    });
  }
  const values = checkParameters({ query, parameters: found.parameters, selectors: ["action"] });
  return async () => ({ answer: await found.run(values), details: { action: name } });
}

/** The unified event, and before it the one that only a manual call has. */
function logMitigation(logger: Logger, fields: Answer, headers: CallHeaders): void {
  if (headers.automated) {
    logger.info({ ...fields, mode: "auto" }, "mitigation executed");
    return;
  }
  logger.info(fields, "manual mitigation executed");
  logger.info({ ...fields, mode: "manual" }, "mitigation executed");
}

function logReplay(logger: Logger, request: Request, headers: CallHeaders): void {
  logger.info(
    { call: callOf(request), ...origin(request, headers) },
    "admin call repeated, no second effect",
  );
}

/** One audit line for every refused call. */
function auditRefusal(logger: Logger) {
  return (error: unknown, request: Request, _response: Response, next: NextFunction): void => {
    const status = (error as { status?: unknown }).status;
    logger.warn(
      {
        call: callOf(request),
        remote: addressOf(request),
        status: typeof status === "number" ? status : 500,
        error: (error as Error).message,
      },
      "admin call refused",
    );
    next(error);
  };
}

function send(response: Response, result: GuardedAnswer): void {
  if (result.replayed) response.setHeader("idempotent-replay", "true");
  response.json(result.answer);
}

/** Who called, as flat fields. */
function origin(request: Request, headers: CallHeaders): Answer {
  return {
    remote: addressOf(request),
    ...(headers.key === undefined ? {} : { idempotency_key: headers.key }),
    ...(headers.epoch === undefined ? {} : { epoch: headers.epoch }),
  };
}

/** Scalars as they are, anything else as JSON text: log lines are flat. */
function flat(answer: Answer): Answer {
  return Object.fromEntries(
    Object.entries(answer).map(([name, value]) => [
      name,
      typeof value === "object" && value !== null ? JSON.stringify(value) : value,
    ]),
  );
}

/** What an idempotency key stands for. Its length is bounded, because the query was parsed before. */
function fullCall(request: Request): string {
  return `${request.method} ${request.originalUrl}`;
}

/** For a log line. */
function callOf(request: Request): string {
  return fullCall(request).slice(0, 300);
}

function addressOf(request: Request): string {
  return request.socket.remoteAddress ?? "unknown";
}
