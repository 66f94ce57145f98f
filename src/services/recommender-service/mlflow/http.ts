import type { Dispatcher } from "undici";
import { z } from "zod";
import { type Answer, exchange } from "../../../common/net/exchange.ts";
import { readJson } from "../../../common/net/json.ts";

/**
 * Why the registry gave nothing usable. `unreachable`: no answer in time, or none that comes from a working MLflow;
 * `missing`: it works and does not have what was asked for; `refused`: it has it, and it must not be taken.
 */
export type MlflowProblem = "unreachable" | "missing" | "refused";

export class MlflowError extends Error {
  override readonly name = "MlflowError";
  readonly problem: MlflowProblem;

  constructor(problem: MlflowProblem, message: string, cause?: unknown) {
    super(message, { cause });
    this.problem = problem;
  }
}

export interface MlflowCall {
  readonly dispatcher: Dispatcher;
  readonly method: "GET" | "POST" | "PUT";
  readonly url: URL;
  readonly json?: unknown;
  readonly bytes?: Buffer;
  /** Cap on the answer's body, and what it means that it is larger. */
  readonly maxBytes: number;
  readonly oversize: MlflowProblem;
  /** For the whole exchange, milliseconds: a body that drips does not hold it open. */
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
}

/** One call; answers the body of a 2xx. Redirects are not followed. Throws `MlflowError`. */
export async function call({ json, bytes, oversize, deadlineMs, ...request }: MlflowCall): Promise<Buffer> {
  const where = `${request.method} ${request.url.pathname}`;
  const body = json === undefined ? bytes : JSON.stringify(json);
  const type = json === undefined ? "application/octet-stream" : "application/json";
  const headers: Record<string, string> = body === undefined ? {} : { "content-type": type };
  const result = await exchange({ ...request, headers, body, timeoutMs: deadlineMs });
  if (!result.ok)
    throw new MlflowError(
      result.kind === "too_large" ? oversize : "unreachable",
      `${where}: ${result.detail}`,
    );
  if (result.status <= 299) return result.body;
  throw refusal(result, where);
}

/** One call whose answer is JSON. Throws `MlflowError`. */
export async function callJson(options: MlflowCall): Promise<unknown> {
  const read = readJson(await call(options));
  if (read.ok) return read.json;
  throw new MlflowError("unreachable", `${options.method} ${options.url.pathname}: ${read.detail}`);
}

/** MLflow explains a refusal so; without that it was not a working MLflow that answered. */
const explanation = z.object({ error_code: z.string(), message: z.string().catch("") });

function refusal({ status, body }: Answer, where: string): MlflowError {
  const read = readJson(body);
  const said = explanation.safeParse(read.ok ? read.json : undefined);
  if (!said.success) return new MlflowError("unreachable", `${where}: status ${status}`);
  const { error_code: code, message } = said.data;
  const text = `${where}: status ${status} ${code.slice(0, 100)}: ${message.slice(0, 300)}`;
  if (status >= 500) return new MlflowError("unreachable", text);
  return new MlflowError(code === "RESOURCE_DOES_NOT_EXIST" ? "missing" : "refused", text);
}
