import type { NextFunction, Request, Response } from "express";
import type { Logger } from "pino";
import { HttpError } from "./errors.ts";

/** Turns what a handler throws into a JSON answer; an unforeseen error is logged and answered 500 without details. */
export function answerErrors(logger: Logger) {
  return (error: unknown, request: Request, response: Response, next: NextFunction): void => {
    if (response.headersSent) {
      next(error);
      return;
    }
    if (error instanceof HttpError) {
      response.set(error.headers).status(error.status).json(error.body);
      return;
    }
    const known = clientError(error);
    if (known !== undefined) {
      // The rest of a body that was refused is not read, so the connection cannot be used again.
      response.set("connection", "close").status(known.status).json({ error: known.message });
      return;
    }
    logger.error({ err: error, method: request.method, path: request.path.slice(0, 200) }, "request failed");
    response.status(500).json({ error: "internal error" });
  };
}

/** Errors of the body parser and of the router carry a 4xx status. */
function clientError(error: unknown): { readonly status: number; readonly message: string } | undefined {
  const { status, type, limit } = error as { status?: unknown; type?: unknown; limit?: unknown };
  if (typeof status !== "number" || status < 400 || status > 499) return undefined;
  if (type === "entity.too.large")
    return { status, message: `the body is larger than ${String(limit)} bytes` };
  if (type === "entity.parse.failed") return { status, message: "the body is not valid JSON" };
  return { status, message: (error as Error).message };
}
