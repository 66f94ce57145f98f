import type { Express, NextFunction, Request, RequestHandler, Response } from "express";
import { printable } from "../../common/security/text.ts";
import { ApiError } from "./errors.ts";

type Method = "get" | "head" | "post" | "put" | "delete";

/** Handlers of a path, method by method; every other method is answered 405 with those that there are. */
export function route(
  app: Express,
  path: string,
  methods: Partial<Record<Method, RequestHandler | readonly RequestHandler[]>>,
): void {
  const at = app.route(path);
  const refuse = (_request: Request, response: Response) => {
    response
      .status(405)
      .set("allow", allowed)
      .json({ status: "error", error: `use ${allowed}` });
  };
  const names = Object.keys(methods).filter((method) => method !== "head");
  const allowed = names
    .map((method) => (method === "get" && methods.head === undefined ? "GET, HEAD" : method.toUpperCase()))
    .join(", ");
  for (const [method, handlers] of Object.entries(methods))
    at[method as Method]([handlers].flat() as RequestHandler[]);
  at.all(refuse);
}

/** 400 naming a parameter where none is known: one that were ignored would be taken for one that works. */
export function noParameters(request: Request, _response: Response, next: NextFunction): void {
  const [name] = queryOf(request).keys();
  if (name !== undefined)
    throw new ApiError(400, `unknown parameter "${printable(name, 60)}"; there is none here`);
  next();
}

/** What stands behind the question mark. */
export function queryOf({ originalUrl }: Request): URLSearchParams {
  const at = originalUrl.indexOf("?");
  return new URLSearchParams(at < 0 ? "" : originalUrl.slice(at + 1));
}
