import type { Request } from "express";
import { printable } from "../../common/security/text.ts";

/** Longest call that is written down, characters. */
const MAX_CALL_CHARS = 300;

/** The names of the parameters that admin calls of a service may have. */
export type CallNames = () => ReadonlySet<string>;

/**
 * A call for a log line: method, path and parameters, made harmless. A parameter that no call has is named without its
 * value: it may be a token that was put into the wrong place.
 */
export function describeCall(request: Request, names: CallNames): string {
  const url = request.originalUrl;
  const at = url.indexOf("?");
  const path = at < 0 ? url : url.slice(0, at);
  const known = names();
  const parameters = [...new URLSearchParams(at < 0 ? "" : url.slice(at + 1))].map(([name, value]) =>
    known.has(name) ? `${name}=${value}` : `${name}=…`,
  );
  const query = parameters.length === 0 ? "" : `?${parameters.join("&")}`;
  return printable(`${request.method} ${path}${query}`, MAX_CALL_CHARS);
}
