import express, { type NextFunction, type Request, type RequestHandler, type Response } from "express";
import { ApiError } from "./errors.ts";

/** A further call costs a further connection: the rest of the body is not read. */
const CLOSE = { headers: { connection: "close" } };

/**
 * Reads the body of a call that must be JSON by its content-type, UTF-8 and not compressed. Throws an ApiError of 400,
 * 413 or 415; `onProblem` is told of it before.
 */
export function jsonBody(
  maxBytes: number,
  onProblem: (request: Request, problem: ApiError) => void = () => {},
): RequestHandler {
  const read = express.json({ limit: maxBytes, inflate: false, type: () => true });
  return (request: Request, response: Response, next: NextFunction) => {
    const refuse = (problem: ApiError) => {
      onProblem(request, problem);
      next(problem);
    };
    const type = request.headers["content-type"] ?? "none";
    if (!/^application\/json\s*(;|$)/i.test(type)) {
      refuse(new ApiError(415, "content-type must be application/json", CLOSE));
      return;
    }
    read(request, response, (error?: unknown) => {
      if (error === undefined) next();
      else refuse(problemOf(error, maxBytes));
    });
  };
}

/** What the body parser found, in our words: its own quote the body. */
function problemOf(error: unknown, maxBytes: number): ApiError {
  const { status = 400, type } = error as { status?: number; type?: string };
  if (status === 413) return new ApiError(413, `the body must be at most ${maxBytes} bytes`, CLOSE);
  if (status === 415) return new ApiError(415, "the body must be UTF-8 and not compressed", CLOSE);
  if (type === "request.aborted") return new ApiError(400, "the body ended early", CLOSE);
  return new ApiError(400, "the body must be a JSON object", CLOSE);
}
