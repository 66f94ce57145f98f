import type { Express, NextFunction, Request, RequestHandler, Response } from "express";
import { printable } from "../../common/security/text.ts";
import { pace, sharedText } from "../../common/telemetry/shared-text.ts";
import type { Decisions, Fleet, State, TargetPast } from "../report/wire.ts";
import { createJsonMemory, sendJson } from "./compressed.ts";
import { ApiError } from "./errors.ts";
import type { EventSource } from "./events.ts";

export interface SeriesQuery {
  readonly target: string;
  readonly signal: string | undefined;
  /** Number of a cycle: only later ones are wanted. */
  readonly after: number;
}

export interface DecisionsQuery {
  readonly target: string | undefined;
  readonly signal: string | undefined;
  readonly reason: string | undefined;
  readonly states: readonly State[] | undefined;
  /** Id of a decision: only older ones are wanted. */
  readonly before: number | undefined;
  readonly limit: number;
}

/** What the status page asks of the monitor. */
export interface PageApi extends EventSource {
  fleet(): Fleet;
  /** Undefined when there is no such target or signal. */
  series(query: SeriesQuery): TargetPast | undefined;
  /** States of decisions that can be asked for. */
  readonly states: readonly State[];
  decisions(query: DecisionsQuery): Decisions;
}

const FLEETS_PER_SECOND = 5;
/** Answers about the past a second, all clients together. */
const VIEWS_PER_SECOND = 40;
const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 500;
const monoMs = () => performance.now();

/** The endpoints behind the status page: fleet, series, decisions, events. They only show; no token is wanted. */
export function routeViews(
  app: Express,
  options: {
    readonly page: PageApi;
    readonly events: RequestHandler;
    readonly noParameters: RequestHandler;
    readonly only: (allowed: string) => RequestHandler;
  },
): void {
  const { page, noParameters, only } = options;
  const fleet = sharedText({
    render: () => JSON.stringify({ status: "success", data: page.fleet() }),
    perSecond: FLEETS_PER_SECOND,
    monoMs,
  });
  const memory = createJsonMemory();
  const mayAsk = pace({ perSecond: VIEWS_PER_SECOND, monoMs });
  const paced = (_request: Request, response: Response, next: NextFunction) => {
    if (mayAsk()) next();
    else {
      response.set("retry-after", "1");
      next(new ApiError(429, `more than ${VIEWS_PER_SECOND} such questions a second`));
    }
  };
  app
    .route("/api/v1/fleet")
    .get(noParameters, async (request, response) => sendJson(request, response, await fleet(), memory))
    .all(only("GET, HEAD"));
  app
    .route("/api/v1/series")
    .get(paced, async (request, response) => {
      const asked = parametersOf(request, ["target", "signal", "after"]);
      const { target, signal } = asked;
      if (target === undefined || target === "") throw wrong("target", "must name a target");
      const data = page.series({ target, signal, after: number(asked, "after", { min: -1 }) ?? -1 });
      if (data === undefined)
        throw new ApiError(
          404,
          `nothing is known of ${[target, signal]
            .map((part) => printable(part ?? "", 80))
            .join(" ")
            .trim()}`,
        );
      await sendJson(request, response, JSON.stringify({ status: "success", data }));
    })
    .all(only("GET, HEAD"));
  app
    .route("/api/v1/decisions")
    .get(paced, async (request, response) => {
      const asked = parametersOf(request, ["target", "signal", "reason", "state", "before", "limit"]);
      const { target, signal, reason } = asked;
      const data = page.decisions({
        ...{ target, signal, reason },
        states: statesOf(asked, page.states),
        before: number(asked, "before", { min: 1 }),
        limit: number(asked, "limit", { min: 1, max: MAX_LIMIT }) ?? DEFAULT_LIMIT,
      });
      await sendJson(request, response, JSON.stringify({ status: "success", data }));
    })
    .all(only("GET, HEAD"));
  app
    .route("/api/v1/events")
    .head(only("GET"))
    .get((request, _response, next) => {
      parametersOf(request, ["after"]);
      next();
    }, options.events)
    .all(only("GET"));
}

type Parameters = Readonly<Record<string, string | undefined>>;

/** Each parameter at most once, and none that is not known: one that were ignored would be taken for one that works. */
function parametersOf(request: Request, known: readonly string[]): Parameters {
  const at = request.originalUrl.indexOf("?");
  const given = new URLSearchParams(at < 0 ? "" : request.originalUrl.slice(at + 1));
  const found: Record<string, string> = {};
  for (const [name, value] of given) {
    if (!known.includes(name))
      throw new ApiError(400, `unknown parameter "${printable(name, 60)}"; known are ${known.join(", ")}`);
    if (found[name] !== undefined) throw wrong(name, "must be given once");
    found[name] = value;
  }
  return found;
}

function number(given: Parameters, name: string, range: { min: number; max?: number }): number | undefined {
  const text = given[name];
  if (text === undefined) return undefined;
  const { min, max = Number.MAX_SAFE_INTEGER } = range;
  const value = /^-?\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw wrong(
    name,
    range.max === undefined
      ? `must be a whole number from ${min}`
      : `must be a whole number from ${min} to ${max}`,
  );
}

function statesOf({ state }: Parameters, known: readonly State[]): readonly State[] | undefined {
  if (state === undefined) return undefined;
  const asked = state.split(",") as State[];
  if (asked.every((s) => known.includes(s))) return asked;
  throw wrong("state", `must be some of ${known.join(", ")}, with commas between`);
}

function wrong(name: string, what: string): ApiError {
  return new ApiError(400, `parameter ${name} ${what}`);
}
