import { json, type RequestHandler } from "express";
import { HttpError } from "../kit/errors.ts";
import { checkParameters, parseQuery } from "../kit/parameters.ts";
import type { Routes } from "../kit/routes.ts";
import type { DurableQueue } from "../queue/types.ts";
import type { Admission, Verdict } from "./admission.ts";
import { checkTelemetry, MalformedMessageError, parseRoute, type Route } from "./message.ts";
import type { GatewayMetrics } from "./metrics.ts";
import { REGIONS } from "./regions.ts";

/** Messages of one batch at most. */
const MAX_BATCH = 1_000;

/** `POST /telemetry`: a batch of one device. */
export function registerIngest(app: Routes, admission: Admission, metrics: GatewayMetrics): void {
  app.post("/telemetry", json({ limit: "1mb" }), async (request, response) => {
    const { route, messages } = batchOf(request.body);
    const verdicts = await Promise.all(
      messages.map((message) => admitOne(admission, metrics, route, message)),
    );
    const count = (kind: Verdict["kind"]) => verdicts.filter((verdict) => verdict.kind === kind).length;
    const summary = {
      accepted: count("accepted"),
      duplicates: count("duplicate"),
      malformed: count("malformed"),
      refused: count("refused"),
      problems: verdicts.flatMap((verdict, index) => problemOf(verdict, index)).slice(0, 100),
    };
    const refusals = verdicts.filter((verdict) => verdict.kind === "refused");
    const waitS = Math.max(0, ...refusals.map((verdict) => verdict.retryAfterS));
    const headers: Record<string, string> = waitS > 0 ? { "retry-after": String(waitS) } : {};
    if (summary.accepted + summary.duplicates > 0) {
      response.set(headers).status(202).json(summary);
      return;
    }
    const reason = refusals[0]?.reason;
    if (reason === undefined)
      throw new HttpError(400, { error: "no message of the batch is well formed", ...summary });
    const status = reason === "limited" ? 429 : 503;
    throw new HttpError(status, { error: REFUSALS[reason], reason, ...summary }, headers);
  });
}

/** `GET /dead-letters`, with the admin token: `region` (optional) and `limit` (1 to 1,000, default 100). */
export function registerDeadLetters(
  app: Routes,
  options: { readonly queue: DurableQueue; readonly requireAdmin: RequestHandler },
): void {
  app.get("/dead-letters", options.requireAdmin, async (request, response) => {
    const values = checkParameters({
      query: parseQuery(request.originalUrl),
      parameters: [
        {
          name: "limit",
          type: "number",
          unit: "dead letters",
          min: 1,
          max: 1_000,
          integer: true,
          optional: true,
        },
        { name: "region", type: "choice", oneOf: options.queue.lanes, optional: true },
      ],
      selectors: [],
    });
    const letters = await options.queue.deadLetters({
      lane: values.optionalChoice("region"),
      limit: values.optionalNumber("limit") ?? 100,
    });
    response.json({
      total: options.queue.deadCount(),
      dead_letters: letters.map((letter) => ({
        id: letter.id,
        region: letter.lane,
        key: letter.key,
        reason: letter.reason,
        failures: letter.failures,
        at: new Date(letter.deadMs).toISOString(),
        payload: shownPayload(letter.payload),
      })),
    });
  });
}

const REFUSALS = {
  full: "the buffer of the region is full; try again later",
  limited: "the region sends more than its rate limit; try again later",
  isolated: "the region is isolated; try again later",
  unavailable: "the buffer cannot store at present; try again later",
} as const;

/** Longest part of a payload that is listed, bytes. */
const SHOWN_BYTES = 1_024;

function shownPayload(payload: Uint8Array): string {
  return Buffer.from(payload.subarray(0, SHOWN_BYTES)).toString("utf8");
}

function batchOf(body: unknown): { readonly route: Route; readonly messages: readonly unknown[] } {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw bad("(body)", "a JSON object with region, device and messages");
  }
  const { region, device, messages } = body as Record<string, unknown>;
  if (typeof region !== "string" || !(REGIONS as readonly string[]).includes(region)) {
    throw bad("region", `one of ${REGIONS.join(", ")}`);
  }
  if (!Array.isArray(messages) || messages.length < 1 || messages.length > MAX_BATCH) {
    throw bad("messages", `a list of 1 to ${MAX_BATCH} messages`);
  }
  try {
    return { route: parseRoute(region, typeof device === "string" ? device : ""), messages };
  } catch (error) {
    throw bad("device", (error as Error).message);
  }
}

function bad(field: string, expected: string): HttpError {
  return new HttpError(400, { error: `${field} is not right`, field, expected });
}

/** A malformed message of a batch is not kept: the sender is told, and still has it. */
async function admitOne(
  admission: Admission,
  metrics: GatewayMetrics,
  route: Route,
  message: unknown,
): Promise<Verdict> {
  try {
    return await admission.accept(route, checkTelemetry(message));
  } catch (error) {
    if (!(error instanceof MalformedMessageError)) throw error;
    metrics.received(route.region, "malformed");
    return { kind: "malformed", detail: error.message };
  }
}

function problemOf(verdict: Verdict, index: number): { readonly index: number; readonly problem: string }[] {
  if (verdict.kind === "malformed") return [{ index, problem: verdict.detail }];
  return verdict.kind === "refused" ? [{ index, problem: verdict.reason }] : [];
}
