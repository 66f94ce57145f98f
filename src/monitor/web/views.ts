import type { Express, NextFunction, Request, Response } from "express";
import { printable } from "../../common/security/text.ts";
import { pace, sharedText } from "../../common/telemetry/shared-text.ts";
import type { Decisions, Fleet, State, TargetPast } from "../report/wire.ts";
import { jsonSender } from "./compressed.ts";
import { ApiError } from "./errors.ts";
import type { EventSource, EventStream } from "./events.ts";
import { noParameters, queryOf, route } from "./route.ts";

/** @internal for its tests */
export interface SeriesQuery {
  readonly target: string;
  readonly signal: string | undefined;
  /** Number of a cycle: only later ones are wanted. */
  readonly after: number;
}

/** @internal for its tests */
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
export function routeViews(app: Express, page: PageApi, events: EventStream): void {
  const fleet = sharedText({
    render: () => JSON.stringify({ status: "success", data: page.fleet() }),
    perSecond: FLEETS_PER_SECOND,
    monoMs,
  });
  const sendFleet = jsonSender();
  const send = jsonSender();
  const mayAsk = pace({ perSecond: VIEWS_PER_SECOND, monoMs });
  const view = (answer: (request: Request) => object) => (request: Request, response: Response) => {
    if (!mayAsk())
      throw new ApiError(429, `more than ${VIEWS_PER_SECOND} such questions a second`, {
        headers: { "retry-after": "1" },
      });
    return send(request, response, JSON.stringify({ status: "success", data: answer(request) }));
  };
  route(app, "/api/v1/fleet", {
    get: [noParameters, async (request, response) => sendFleet(request, response, await fleet())],
  });
  route(app, "/api/v1/series", { get: view((request) => seriesAsked(page, request)) });
  route(app, "/api/v1/decisions", { get: view((request) => decisionsAsked(page, request)) });
  const check = (request: Request, _response: Response, next: NextFunction) => {
    parametersOf(request, ["after"]);
    next();
  };
  // A head of it would hold a place of those who follow.
  const head = (_request: Request, _response: Response, next: NextFunction) => next();
  route(app, "/api/v1/events", { head, get: [check, events.handle] });
}

function seriesAsked(page: PageApi, request: Request): TargetPast {
  const asked = parametersOf(request, ["target", "signal", "after"]);
  const { target, signal } = asked;
  if (target === undefined || target === "") throw wrong("target", "must name a target");
  const found = page.series({ target, signal, after: number(asked, "after", { min: -1 }) ?? -1 });
  if (found !== undefined) return found;
  const names = [target, signal ?? ""].map((part) => printable(part, 80)).join(" ");
  throw new ApiError(404, `nothing is known of ${names.trim()}`);
}

function decisionsAsked(page: PageApi, request: Request): Decisions {
  const asked = parametersOf(request, ["target", "signal", "reason", "state", "before", "limit"]);
  const { target, signal, reason } = asked;
  return page.decisions({
    ...{ target, signal, reason },
    states: statesOf(asked, page.states),
    before: number(asked, "before", { min: 1 }),
    limit: number(asked, "limit", { min: 1, max: MAX_LIMIT }) ?? DEFAULT_LIMIT,
  });
}

type Parameters = Readonly<Record<string, string | undefined>>;

/** Each parameter at most once, and none that is not known: one that were ignored would be taken for one that works. */
function parametersOf(request: Request, known: readonly string[]): Parameters {
  const found: Record<string, string> = {};
  for (const [name, value] of queryOf(request)) {
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
