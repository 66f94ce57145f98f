import type { Express, RequestHandler, Response } from "express";
import type { Pause, Silence } from "../report/wire.ts";
import { readAcknowledge, readPause, readRequest, readSaid, readSilence } from "./controls-input.ts";
import { ApiError } from "./errors.ts";
import { jsonBody } from "./json-body.ts";

/** Who says so, and why. */
export interface Said {
  readonly author: string;
  readonly reason: string;
}

export interface SilenceAsked extends Said {
  /** `*` stands for any run of characters. */
  readonly target: string;
  readonly signal: string;
  readonly action: string;
  /** Wall clock, milliseconds. */
  readonly startsAtMs: number;
  readonly endsAtMs: number;
}

/** What people said is in force at once; `notPersisted` says why it is not on disk, when it is not. */
export interface Done<T> {
  readonly result: T;
  readonly notPersisted: string | undefined;
}

/** What people may tell the monitor, as the endpoints need it. */
export interface ControlsApi {
  /** Wall clock, milliseconds. */
  nowMs(): number;
  pause(asked: Said & { readonly forMs: number | undefined }): Done<Pause | undefined>;
  /** False when it was not paused. */
  resume(asked: Said): Done<boolean>;
  silences(): readonly Silence[];
  /** Undefined when there is no room for another. */
  silence(asked: SilenceAsked): Done<Silence | undefined>;
  /** `configured`: it is of the configuration and ends there. */
  liftSilence(id: string, asked: Said): Done<"lifted" | "unknown" | "configured">;
  /** False when the target is not escalated. */
  acknowledge(
    asked: Said & { readonly target: string; readonly resume: boolean; readonly forMs: number | undefined },
  ): Done<boolean>;
  /** For the next cycle, through every guard. Undefined when there is no such target or playbook. */
  request(
    asked: Said & { readonly target: string; readonly playbook?: string | undefined },
  ): Record<string, unknown> | undefined;
}

/** Largest body, bytes. */
const MAX_BODY_BYTES = 16_384;

/**
 * The endpoints through which people steer the monitor: pause, resume, silences, acknowledge. What changes something is
 * behind `guard`, which checks the token before the body is read.
 */
export function routeControls(
  app: Express,
  options: {
    readonly controls: ControlsApi;
    readonly guard: RequestHandler;
    readonly noParameters: RequestHandler;
    readonly only: (allowed: string) => RequestHandler;
  },
): void {
  const { controls, guard, noParameters, only } = options;
  const door = [guard, noParameters, jsonBody(MAX_BODY_BYTES)];
  app
    .route("/api/v1/pause")
    .post(...door, (request, response) => {
      const { for_seconds, ...said } = readPause(request.body);
      answer(response, controls.pause({ ...said, forMs: toMs(for_seconds) }), (paused) => ({ paused }));
    })
    .all(only("POST"));
  app
    .route("/api/v1/resume")
    .post(...door, (request, response) => {
      const done = controls.resume(readSaid(request.body));
      if (!done.result) throw new ApiError(409, "acting is not paused");
      answer(response, done, () => ({ paused: null }));
    })
    .all(only("POST"));
  app
    .route("/api/v1/silences")
    .get(noParameters, (_request, response) => {
      response.json({ status: "success", data: { silences: controls.silences() } });
    })
    .post(...door, (request, response) => {
      const done = controls.silence(readSilence(request.body, controls.nowMs()));
      if (done.result === undefined)
        throw new ApiError(409, "as many silences as are kept are in force or to come; lift one first");
      response.status(201);
      answer(response, done, (silence) => ({ silence }));
    })
    .all(only("GET, HEAD, POST"));
  app
    .route("/api/v1/silences/:id")
    .delete(...door, (request, response) => {
      const { id } = request.params;
      const done = controls.liftSilence(id, readSaid(request.body));
      if (done.result === "configured")
        throw new ApiError(409, "this silence is of the configuration: change it there, and reload");
      if (done.result === "unknown") throw new ApiError(404, "there is no silence of this id");
      answer(response, done, () => ({ lifted: id }));
    })
    .all(only("DELETE"));
  app
    .route("/api/v1/escalations/:target/acknowledge")
    .post(...door, (request, response) => {
      const { target } = request.params;
      const { for_seconds, ...asked } = readAcknowledge(request.body);
      const done = controls.acknowledge({ ...asked, target, forMs: toMs(for_seconds) });
      if (!done.result) throw new ApiError(404, "this target is not escalated");
      answer(response, done, () => ({ target, resume: asked.resume }));
    })
    .all(only("POST"));
  app
    .route("/api/v1/actions")
    .post(...door, (request, response) => {
      const asked = controls.request(readRequest(request.body));
      if (asked === undefined)
        throw new ApiError(404, "there is no such target, or no such playbook, under watch");
      response.status(202).json({ status: "success", data: { request: asked } });
    })
    .all(only("POST"));
}

/** What was done, and plainly whether it outlives a restart. */
function answer<T>(response: Response, done: Done<T>, data: (result: T) => Record<string, unknown>): void {
  const { notPersisted } = done;
  const kept =
    notPersisted === undefined
      ? { kept: true }
      : { kept: false, warning: `in force, but lost at a restart: ${notPersisted}` };
  response.json({ status: "success", data: { ...data(done.result), ...kept } });
}

function toMs(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : seconds * 1000;
}
