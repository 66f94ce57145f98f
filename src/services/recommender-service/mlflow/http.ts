import { type Dispatcher, request } from "undici";

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
export async function call(options: MlflowCall): Promise<Buffer> {
  const where = `${options.method} ${options.url.pathname}`;
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(options.deadlineMs)]);
  let status: number;
  let body: Buffer;
  try {
    const answer = await request(options.url, {
      dispatcher: options.dispatcher,
      method: options.method,
      signal,
      ...contentOf(options),
    });
    status = answer.statusCode;
    body = await readCapped(answer.body, options, where);
  } catch (error) {
    if (error instanceof MlflowError) throw error;
    const reason = signal.aborted ? `no complete answer within ${options.deadlineMs} ms` : messageOf(error);
    throw new MlflowError("unreachable", `${where}: ${reason}`, error);
  }
  if (status >= 200 && status <= 299) return body;
  throw refusal(status, body, where);
}

/** One call whose answer is JSON. Throws `MlflowError`. */
export async function callJson(options: MlflowCall): Promise<unknown> {
  const body = await call(options);
  try {
    return JSON.parse(body.toString("utf8"));
  } catch (error) {
    const where = `${options.method} ${options.url.pathname}`;
    throw new MlflowError("unreachable", `${where}: the answer is not JSON`, error);
  }
}

function contentOf(options: MlflowCall): { body?: Buffer | string; headers?: Record<string, string> } {
  if (options.json !== undefined) {
    return { body: JSON.stringify(options.json), headers: { "content-type": "application/json" } };
  }
  return options.bytes === undefined
    ? {}
    : { body: options.bytes, headers: { "content-type": "application/octet-stream" } };
}

async function readCapped(
  body: AsyncIterable<Uint8Array> & { destroy(): unknown },
  { maxBytes, oversize }: MlflowCall,
  where: string,
): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > maxBytes) {
      body.destroy();
      throw new MlflowError(oversize, `${where}: the answer is larger than ${maxBytes} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** MLflow explains a refusal as `{"error_code":…,"message":…}`; without that it was not a working MLflow that answered. */
function refusal(status: number, body: Buffer, where: string): MlflowError {
  const { code, message } = explanation(body);
  const said = message === undefined ? "" : `: ${message.slice(0, 300)}`;
  const text = `${where}: status ${status}${code === undefined ? "" : ` ${code}`}${said}`;
  if (code === undefined || status >= 500) return new MlflowError("unreachable", text);
  return new MlflowError(code === "RESOURCE_DOES_NOT_EXIST" ? "missing" : "refused", text);
}

function explanation(body: Buffer): { readonly code?: string; readonly message?: string } {
  try {
    const { error_code: code, message } = JSON.parse(body.toString("utf8")) as Record<string, unknown>;
    return {
      ...(typeof code === "string" ? { code: code.slice(0, 100) } : {}),
      ...(typeof message === "string" ? { message } : {}),
    };
  } catch {
    return {};
  }
}

function messageOf(error: unknown): string {
  const { message, code } = error as { message?: string; code?: string };
  return message || code || "no connection";
}
