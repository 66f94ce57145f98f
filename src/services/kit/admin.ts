import { type NextFunction, type Request, type Response, Router, raw } from "express";
import type { Logger } from "pino";
import { printable } from "../../common/security/text.ts";
import { AccessError, type AdminAccess, addressOf } from "./admin-access.ts";
import type { AdminMetrics } from "./admin-metrics.ts";
import { CallGuard, type CallHeaders, checkKey, type GuardedAnswer, readCallHeaders } from "./call-guard.ts";
import { type CallNames, describeCall } from "./call-names.ts";
import type { ServiceClock } from "./clock.ts";
import { HttpError, ParameterError } from "./errors.ts";
import type { FaultSet } from "./faults/fault-set.ts";
import type { Answer, Ledger } from "./ledger.ts";
import type { Mitigation } from "./mitigation.ts";
import { checkParameters, parseQuery, quoted } from "./parameters.ts";
import { refuseMethod } from "./routes.ts";

/** Largest body of an admin call, bytes; its content is not used. */
const MAX_ADMIN_BODY_BYTES = 16 * 1_024;

export interface AdminOptions {
  readonly service: string;
  readonly access: AdminAccess;
  readonly names: CallNames;
  readonly faults: FaultSet;
  readonly faultInjection: boolean;
  readonly mitigations: readonly Mitigation[];
  readonly ledger: Ledger;
  readonly metrics: AdminMetrics;
  readonly logger: Logger;
  readonly clock: ServiceClock;
  /** Numbers the calls of this process, for its log. */
  readonly calls: { last: number };
}

/** The admin plane, to be mounted at `/admin`. */
export function adminRouter(given: Omit<AdminOptions, "calls">): Router {
  const options: AdminOptions = { ...given, calls: { last: 0 } };
  const { ledger, clock, faults } = options;
  const router = Router();
  const guard = new CallGuard(ledger, () => clock.wallMs());
  router.use((_request, response, next) => {
    response.setHeader("cache-control", "no-store");
    next();
  });
  router.use(options.access.require);
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
    .get((request, response) => {
      refuseParameters(request);
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
      refuseParameters(request);
      const key = checkKey(String(request.params.key));
      const entry = guard.find(key);
      if (entry?.answer === undefined) response.status(404).json({ key, applied: false });
      else {
        response.json({ key, applied: true, answer: entry.answer, at: new Date(entry.atMs).toISOString() });
      }
    })
    .all(refuseMethod(["GET", "HEAD"]));
  router.use((request: Request) => {
    throw new HttpError(404, { error: `there is no ${request.originalUrl.slice(0, 200)} here` });
  });
  router.use(auditRefusal(options));
  return router;
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
  auditReceived(options, { request, response, headers });
  const result = await guard.run(fullCall(request), headers, () => planned.inject(clock.monoMs()));
  const by = origin(request, response, headers);
  if (result.replayed) logReplay(options, request, by);
  else logger.warn({ ...flat(result.answer), ...by }, "fault injected");
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
  auditReceived(options, { request, response, headers });
  let cleared: Answer = {};
  const result = await guard.run(fullCall(request), headers, async () => {
    const done = await run();
    cleared = done.details;
    options.metrics.mitigated(options.clock.wallMs());
    return done.answer;
  });
  const by = origin(request, response, headers);
  if (result.replayed) logReplay(options, request, by);
  else logMitigation(options.logger, { ...flat(result.answer), ...cleared, ...by }, headers);
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

function logReplay(options: AdminOptions, request: Request, by: Answer): void {
  options.logger.info(
    { call: describeCall(request, options.names), ...by },
    "admin call repeated, no second effect",
  );
}

/**
 * The audit line before a call that may have an effect. What came of it is in a later line with the same `call_number`:
 * the event itself, a repetition, a refusal or a failure.
 */
function auditReceived(
  options: AdminOptions,
  { request, response, headers }: { request: Request; response: Response; headers: CallHeaders },
): void {
  options.calls.last += 1;
  response.locals.callNumber = options.calls.last;
  const call = describeCall(request, options.names);
  const mode = headers.automated ? "auto" : "manual";
  options.logger.info({ call, mode, ...origin(request, response, headers) }, "admin call received");
}

/** One audit line for every call that was let in and refused, or that failed. */
function auditRefusal({ logger, names }: AdminOptions) {
  return (error: unknown, request: Request, response: Response, next: NextFunction): void => {
    if (!(error instanceof AccessError)) {
      const given = (error as { status?: unknown }).status;
      const status = typeof given === "number" ? given : 500;
      const number = callNumber(response);
      const fields = { call: describeCall(request, names), ...number, remote: addressOf(request), status };
      const text = { error: printable((error as Error).message, 300) };
      logger.warn({ ...fields, ...text }, status < 500 ? "admin call refused" : "admin call failed");
    }
    next(error);
  };
}

function send(response: Response, result: GuardedAnswer): void {
  if (result.replayed) response.setHeader("idempotent-replay", "true");
  response.json(result.answer);
}

/** Who called, as flat fields. */
function origin(request: Request, response: Response, headers: CallHeaders): Answer {
  return {
    ...callNumber(response),
    remote: addressOf(request),
    ...(headers.key === undefined ? {} : { idempotency_key: headers.key }),
    ...(headers.epoch === undefined ? {} : { epoch: headers.epoch }),
  };
}

function callNumber(response: Response): Answer {
  const number: unknown = response.locals.callNumber;
  return typeof number === "number" ? { call_number: number } : {};
}

/** For calls that only read. */
function refuseParameters(request: Request): void {
  checkParameters({ query: parseQuery(request.originalUrl), parameters: [], selectors: [] });
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
