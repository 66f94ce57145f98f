import type { Express, RequestHandler, Response } from "express";
import type { Pause, Silence } from "../report/wire.ts";
import { readAcknowledge, readPause, readRequest, readSaid, readSilence } from "./controls-input.ts";
import { ApiError } from "./errors.ts";
import { jsonBody } from "./json-body.ts";
import { noParameters, route } from "./route.ts";

/** Who says so, and why. */
interface Said {
  readonly author: string;
  readonly reason: string;
}

interface SilenceAsked extends Said {
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
  /** For the next cycle, through every guard; or why it cannot be asked for. */
  request(
    asked: Said & { readonly target: string; readonly playbook?: string | undefined },
  ): Record<string, unknown> | "unknown" | "watched_only";
}

/** Largest body, bytes. */
const MAX_BODY_BYTES = 16_384;

/**
 * The endpoints through which people steer the monitor: pause, resume, silences, acknowledge. What changes something is
 * behind `door`, which checks the token before the body is read.
 */
export function routeControls(app: Express, controls: ControlsApi, door: readonly RequestHandler[]): void {
  const behind = (handle: RequestHandler<Record<string, string>>) =>
    [...door, jsonBody(MAX_BODY_BYTES), handle] as RequestHandler[];
  route(app, "/api/v1/pause", {
    post: behind((request, response) => {
      const { for_seconds, ...said } = readPause(request.body);
      answer(response, controls.pause({ ...said, forMs: toMs(for_seconds) }), (paused) => ({ paused }));
    }),
  });
  route(app, "/api/v1/resume", {
    post: behind((request, response) => {
      const done = controls.resume(readSaid(request.body));
      if (!done.result) throw new ApiError(409, "acting is not paused");
      answer(response, done, () => ({ paused: null }));
    }),
  });
  const silences: RequestHandler = (_request, response) =>
    void response.json({ status: "success", data: { silences: controls.silences() } });
  route(app, "/api/v1/silences", {
    get: [noParameters, silences],
    post: behind((request, response) => {
      const done = controls.silence(readSilence(request.body, controls.nowMs()));
      if (done.result === undefined)
        throw new ApiError(409, "as many silences as are kept are in force or to come; end one first");
      response.status(201);
      answer(response, done, (silence) => ({ silence }));
    }),
  });
  route(app, "/api/v1/silences/:id", {
    delete: behind((request, response) => {
      const { id = "" } = request.params;
      const done = controls.liftSilence(id, readSaid(request.body));
      if (done.result === "configured")
        throw new ApiError(409, "this silence is of the configuration: change it there, and reload");
      if (done.result === "unknown") throw new ApiError(404, "there is no silence of this id");
      answer(response, done, () => ({ lifted: id }));
    }),
  });
  route(app, "/api/v1/escalations/:target/acknowledge", {
    post: behind((request, response) => {
      const { target = "" } = request.params;
      const { for_seconds, ...asked } = readAcknowledge(request.body);
      const done = controls.acknowledge({ ...asked, target, forMs: toMs(for_seconds) });
      if (!done.result) throw new ApiError(404, "this target is not escalated");
      answer(response, done, () => ({ target, resume: asked.resume }));
    }),
  });
  route(app, "/api/v1/actions", {
    post: behind((request, response) => {
      const asked = controls.request(readRequest(request.body));
      if (asked === "watched_only")
        throw new ApiError(409, "this target is watched only: nothing is allowed to heal it", {
          details: { reason: asked },
        });
      if (asked === "unknown")
        throw new ApiError(404, "there is no such target, or no such playbook, under watch");
      response.status(202).json({ status: "success", data: { request: asked } });
    }),
  });
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
