import type { NextFunction, Request, RequestHandler, Response } from "express";
import { Counter, Gauge, type Registry } from "prom-client";
import { vouchFor } from "../../common/security/crowd.ts";
import { createGate, type Gate, type RefusalEvent } from "../../common/security/gate.ts";
import { createSiteCheck, type SiteProblem } from "../../common/security/site.ts";
import type { TokenSet } from "../../common/security/tokens.ts";
import { ApiError } from "./errors.ts";

/** The door to every call that tells the monitor something. */
export interface Auth {
  /** 403 for what is called by a foreign name, and for a change that a page of another site asks for. */
  readonly site: RequestHandler;
  /** 401 without a valid token, 429 for a wrong one after too many. Stands before the body is read. */
  readonly require: RequestHandler;
  stop(): void;
}

/** How often sums of refusals are told, milliseconds. */
const FLUSH_MS = 5000;
/** A further guess costs a further connection, and the body is not read. */
const CLOSE = { connection: "close" };

/**
 * Keeps out what a browser asks for on behalf of other sites, and lets callers in with `Authorization: Bearer TOKEN` or `x-admin-token: TOKEN`, each of `tokens` being valid. The first
 * refusal of an address is told at once, the further ones as sums.
 */
export function createAuth(options: {
  readonly tokens: TokenSet;
  /** Further names that the monitor is called by; another list after a reload. */
  readonly hosts: () => readonly string[];
  readonly registry: Registry;
  /** Monotonic, milliseconds. */
  readonly monoMs: () => number;
  readonly onRefusal: (event: RefusalEvent) => void;
}): Auth {
  const { tokens, monoMs } = options;
  const gate = createGate({ tokens, onRefusal: options.onRefusal });
  const refused = refusalMetrics(options.registry, gate, monoMs);
  const timer = setInterval(() => gate.flush(monoMs()), FLUSH_MS);
  timer.unref();
  let known = options.hosts();
  let site = siteCheck(known);
  return {
    site: (request: Request, _response: Response, next: NextFunction) => {
      const hosts = options.hosts();
      if (hosts !== known) site = siteCheck(hosts);
      known = hosts;
      const changes = request.method !== "GET" && request.method !== "HEAD";
      const problem = site.host(request.headers) ?? (changes ? site.origin(request.headers) : undefined);
      if (problem !== undefined) {
        refused.inc({ reason: problem.kind });
        gate.turnedAway({ address: addressOf(request), reason: WORDS[problem.kind], nowMs: monoMs() });
        throw new ApiError(403, problem.message, { headers: CLOSE });
      }
      next();
    },
    require: (request: Request, response: Response, next: NextFunction) => {
      const verdict = gate.check({
        token: presented(request),
        address: addressOf(request),
        nowMs: monoMs(),
      });
      if (verdict.kind === "accepted") {
        vouchFor(request, response);
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

const WORDS: Readonly<Record<SiteProblem["kind"], string>> = {
  foreign_host: "called by a foreign name",
  foreign_origin: "asked for by a page of another site",
};

const siteCheck = (names: readonly string[]) => createSiteCheck({ names, setting: "web.allowed_hosts" });

/** One candidate a call: two headers are not two guesses. */
function presented({ headers }: Request): string | undefined {
  const { authorization } = headers;
  if (authorization !== undefined) return /^Bearer +(\S.*)$/i.exec(authorization)?.[1] ?? authorization;
  const own = headers["x-admin-token"];
  return typeof own === "string" ? own : undefined;
}

function refusalOf(verdict: Exclude<ReturnType<Gate["check"]>, { kind: "accepted" }>): ApiError {
  if (verdict.kind === "refused")
    return new ApiError(
      401,
      `the token is ${verdict.reason}; send one of the monitor's own as "authorization: Bearer TOKEN" or "x-admin-token: TOKEN"`,
      { headers: { "www-authenticate": 'Bearer realm="predictive-monitor"', ...CLOSE } },
    );
  const { waitSeconds } = verdict;
  return new ApiError(429, `too many wrong tokens from this address; wait ${waitSeconds} s`, {
    headers: { "retry-after": String(waitSeconds), ...CLOSE },
  });
}

function refusalMetrics(registry: Registry, gate: Gate, monoMs: () => number): Counter<"reason"> {
  const registers = [registry];
  new Gauge({
    name: "predict_api_addresses_locked_out",
    help: "Addresses that must wait because they presented too many wrong tokens.",
    registers,
    collect() {
      this.set(gate.lockedOut(monoMs()));
    },
  });
  const refused = new Counter({
    name: "predict_api_calls_refused_total",
    help: "Calls to the monitor that were not let in.",
    labelNames: ["reason"],
    registers,
  });
  for (const reason of ["token_missing", "token_wrong", "locked_out", "foreign_host", "foreign_origin"])
    refused.inc({ reason }, 0);
  return refused;
}

export function addressOf(request: Request): string {
  return request.socket.remoteAddress ?? "unknown";
}
