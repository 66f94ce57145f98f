import type { NextFunction, Request, RequestHandler, Response } from "express";
import type { Logger } from "pino";
import { Counter, Gauge, type Registry } from "prom-client";
import { isLoopback } from "../../common/security/addresses.ts";
import { createGate, type Gate, type RefusalEvent } from "../../common/security/gate.ts";
import { createSiteCheck } from "../../common/security/site.ts";
import type { TokenSet } from "../../common/security/tokens.ts";
import { type CallNames, describeCall } from "./call-names.ts";
import type { ServiceClock } from "./clock.ts";
import { HttpError } from "./errors.ts";

/**
 * Who may reach the admin plane: callers on this machine only, everyone who reaches the public port, or everyone who
 * reaches a listener of its own.
 */
export type AdminReach =
  | { readonly kind: "local" }
  | { readonly kind: "public" }
  | { readonly kind: "own"; readonly host: string; readonly port: number };

/** A refusal that the audit log has already: alone or in a sum. */
export class AccessError extends HttpError {}

/** How often sums of refusals are told, milliseconds. */
const FLUSH_MS = 5_000;

export interface AdminAccess {
  /** 403 from elsewhere, under a foreign name or for a page of another site, 401 without a valid token, 429 for a wrong one after too many. */
  readonly require: RequestHandler;
  stop(): void;
}

/** The door to everything that needs the admin token, with its audit lines and metrics. */
export function adminAccess(options: {
  readonly tokens: TokenSet;
  readonly reach: AdminReach;
  /** Of the listener of its own. */
  readonly ownPort: number | undefined;
  /** Further names that the admin plane is called by. */
  readonly hosts: readonly string[];
  readonly names: CallNames;
  readonly clock: ServiceClock;
  readonly logger: Logger;
  readonly registry: Registry;
}): AdminAccess {
  const { tokens, reach, ownPort, names, clock, logger } = options;
  const site = createSiteCheck({ names: options.hosts, setting: "ADMIN_ALLOWED_HOSTS" });
  let call = "";
  const gate = createGate({ tokens, onRefusal: (event) => tell(logger, event, call) });
  const refused = accessMetrics(options.registry, gate, clock);
  const timer = setInterval(() => {
    gate.flush(clock.monoMs());
    // Looked at now and then, so that a bad file is told of before anybody calls.
    tokens.problem();
  }, FLUSH_MS);
  timer.unref();
  return {
    require: (request: Request, _response: Response, next: NextFunction) => {
      if (ownPort !== undefined && request.socket.localPort !== ownPort) {
        throw new AccessError(404, { error: `there is no ${request.path.slice(0, 200)} here` });
      }
      call = describeCall(request, names);
      if (reach.kind === "local" && !isLocal(request)) {
        refused.inc({ reason: "not_local" });
        gate.turnedAway({ address: addressOf(request), reason: "not local", nowMs: clock.monoMs() });
        throw new AccessError(403, { error: NOT_LOCAL }, CLOSE);
      }
      const changes = request.method !== "GET" && request.method !== "HEAD";
      const problem = site.host(request.headers) ?? (changes ? site.origin(request.headers) : undefined);
      if (problem !== undefined) {
        refused.inc({ reason: problem.kind });
        gate.turnedAway({ address: addressOf(request), reason: problem.kind, nowMs: clock.monoMs() });
        throw new AccessError(403, { error: problem.message }, CLOSE);
      }
      const presented = request.headers["x-admin-token"];
      const verdict = gate.check({
        token: typeof presented === "string" ? presented : undefined,
        address: addressOf(request),
        nowMs: clock.monoMs(),
      });
      if (verdict.kind === "accepted") {
        next();
        return;
      }
      refused.inc({ reason: verdict.kind === "locked_out" ? "locked_out" : `token_${verdict.reason}` });
      throw refusalOf(verdict);
    },
    stop() {
      clearInterval(timer);
      gate.flush(Number.POSITIVE_INFINITY);
    },
  };
}

const NOT_LOCAL =
  "the admin plane answers callers on this machine only; ADMIN_LISTEN_ADDRESS says where else it shall";

function refusalOf(verdict: Exclude<ReturnType<Gate["check"]>, { kind: "accepted" }>): AccessError {
  if (verdict.kind === "locked_out") {
    const { waitSeconds } = verdict;
    return new AccessError(
      429,
      { error: `too many wrong tokens from this address; wait ${waitSeconds} s` },
      { "retry-after": String(waitSeconds), ...CLOSE },
    );
  }
  return new AccessError(
    401,
    {
      error: `the admin token is ${verdict.reason}`,
      parameter: "x-admin-token",
      expected: "the header x-admin-token with a token of this service",
    },
    CLOSE,
  );
}

/** A further guess costs a further connection, and what came after the headers is not read. */
const CLOSE = { connection: "close" };

/** Status and words for the first refusal of an address. */
const REFUSALS: Readonly<Record<string, readonly [number, string]>> = {
  missing: [401, "the admin token is missing"],
  wrong: [401, "the admin token is wrong"],
  "locked out": [429, "too many wrong tokens from this address"],
  "not local": [403, "the call does not come from this machine"],
  foreign_host: [403, "the call is by a foreign name"],
  foreign_origin: [403, "a page of another site asks for it"],
};

function accessMetrics(registry: Registry, gate: Gate, clock: ServiceClock): Counter<"reason"> {
  new Gauge({
    name: "admin_addresses_locked_out",
    help: "Addresses that must wait because they presented too many wrong admin tokens.",
    registers: [registry],
    collect() {
      this.set(gate.lockedOut(clock.monoMs()));
    },
  });
  const refused = new Counter({
    name: "admin_calls_refused_total",
    help: "Admin calls that were not let in.",
    labelNames: ["reason"],
    registers: [registry],
  });
  for (const reason of [
    "token_missing",
    "token_wrong",
    "locked_out",
    "not_local",
    "foreign_host",
    "foreign_origin",
  ])
    refused.inc({ reason }, 0);
  return refused;
}

function tell(logger: Logger, event: RefusalEvent, call: string): void {
  const { address: remote, count } = event;
  if (event.kind === "locked_out")
    logger.warn({ remote, refusals: count, wait_seconds: event.waitSeconds }, "admin address locked out");
  else if (event.kind === "lockout_ended") logger.info({ remote, refusals: count }, "admin lockout ended");
  else if (event.reason === "repeated") logger.warn({ remote, refusals: count }, "admin calls refused");
  else {
    const [status, error] = REFUSALS[event.reason] ?? [403, event.reason];
    logger.warn({ call, remote, status, error }, "admin call refused");
  }
}

/** From this machine, and not through a proxy on it. */
function isLocal(request: Request): boolean {
  const forwarded = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];
  if (forwarded.some((name) => request.headers[name] !== undefined)) return false;
  return isLoopback(addressOf(request));
}

export function addressOf(request: Request): string {
  return request.socket.remoteAddress ?? "unknown";
}
