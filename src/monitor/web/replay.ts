import type { Express, Request, RequestHandler, Response } from "express";
import { z } from "zod";
import { type Replay, SENSITIVITIES, type Sensitivity } from "../report/wire.ts";
import { readBody } from "./controls-input.ts";
import { ApiError } from "./errors.ts";
import { jsonBody } from "./json-body.ts";
import { route } from "./route.ts";

/** @internal for its tests */
export interface ReplayAsked {
  readonly settings: readonly Sensitivity[];
  readonly spanMs: number;
}

/** The recent past at other settings. */
export interface ReplayApi {
  /** @throws ReplayBusyError, ReplayFailedError */
  replay(asked: ReplayAsked): Promise<Replay>;
}

/** Another replay is running. */
export class ReplayBusyError extends Error {
  override readonly name = "ReplayBusyError";
}

/** It could not be done; the message says why. */
export class ReplayFailedError extends Error {
  override readonly name = "ReplayFailedError";
}

const MAX_BODY_BYTES = 4096;
const MAX_HOURS = 24;
const ASKED = z.strictObject({
  sensitivity: z
    .enum(SENSITIVITIES, { error: `must be ${SENSITIVITIES.join(", ")}; left out: all of them` })
    .optional(),
  hours: z
    .number({ error: HOURS() })
    .positive({ error: HOURS() })
    .max(MAX_HOURS, { error: HOURS() })
    .default(2),
});

function HOURS(): string {
  return `must be a number of hours over 0, up to ${MAX_HOURS}`;
}

/** `POST /api/v1/replay`: behind the token, because it costs a core while it runs. */
export function routeReplay(app: Express, api: ReplayApi, door: readonly RequestHandler[]): void {
  const replay = async (request: Request, response: Response) => {
    const { sensitivity, hours } = readBody(ASKED, request.body);
    const settings = sensitivity === undefined ? SENSITIVITIES : [sensitivity];
    try {
      const data = await api.replay({ settings, spanMs: hours * 3_600_000 });
      response.json({ status: "success", data });
    } catch (error) {
      if (error instanceof ReplayBusyError)
        throw new ApiError(409, error.message, { headers: { "retry-after": "5" } });
      if (error instanceof ReplayFailedError) throw new ApiError(503, error.message);
      throw error;
    }
  };
  route(app, "/api/v1/replay", { post: [...door, jsonBody(MAX_BODY_BYTES), replay] });
}
