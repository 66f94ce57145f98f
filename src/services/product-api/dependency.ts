import { BrokenCircuitError, ConsecutiveBreaker, circuitBreaker, handleAll } from "cockatiel";
import { Counter, type Registry } from "prom-client";
import { Agent, request } from "undici";
import type { z } from "zod";

/** Why a dependency gave nothing. */
export type Absence = "not_configured" | "circuit_open" | "deadline" | "unreachable" | "refused" | "invalid";

type Heard<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly why: Absence };

/** Another service that a page asks, and can do without. */
export interface Dependency {
  /** POSTs JSON and checks the answer. Never throws, never takes longer than the deadline. */
  ask<T>(path: string, body: unknown, schema: z.ZodType<T>): Promise<Heard<T>>;
  close(): Promise<void>;
}

/** After so many failures in a row it is left alone for a while: a page does not wait for what is known to be down. */
const FAILURES = 5;
const REST_MS = 2000;
/** Answers are small; more is a fault, bytes. */
const MAX_BYTES = 65_536;

/** Counts what came of every question, for all dependencies of a service. */
export function dependencyMetrics(registry: Registry): Counter<"dependency" | "result"> {
  return new Counter({
    name: "page_dependency_calls_total",
    help: "Questions of the product page to other services, by what came of them.",
    labelNames: ["dependency", "result"],
    registers: [registry],
  });
}

/** @param options.baseUrl undefined: nobody to ask. `deadlineMs`: total time for one question. */
export function createDependency(options: {
  name: string;
  baseUrl: string | undefined;
  deadlineMs: number;
  calls: Counter<"dependency" | "result">;
}): Dependency {
  const { name, baseUrl, deadlineMs, calls } = options;
  const agent = new Agent({ connections: 32, pipelining: 1 });
  const breaker = circuitBreaker(handleAll, {
    halfOpenAfter: REST_MS,
    breaker: new ConsecutiveBreaker(FAILURES),
  });
  return {
    async ask(path, body, schema) {
      const heard = await attempt(path, body, schema);
      calls.inc({ dependency: name, result: heard.ok ? "ok" : heard.why });
      return heard;
    },
    close: () => agent.destroy(),
  };

  async function attempt<T>(path: string, body: unknown, schema: z.ZodType<T>): Promise<Heard<T>> {
    if (baseUrl === undefined) return { ok: false, why: "not_configured" };
    const deadline = AbortSignal.timeout(deadlineMs);
    try {
      const value = await breaker.execute(() => post(`${baseUrl}${path}`, body, schema, deadline));
      return { ok: true, value };
    } catch (error) {
      return { ok: false, why: reasonOf(error, deadline) };
    }
  }

  async function post<T>(url: string, body: unknown, schema: z.ZodType<T>, signal: AbortSignal): Promise<T> {
    const answer = await request(url, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify(body),
      dispatcher: agent,
      signal,
    });
    if (answer.statusCode !== 200) {
      await answer.body.dump();
      throw new Refused(`HTTP ${answer.statusCode}`);
    }
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of answer.body as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > MAX_BYTES) throw new Invalid("answer is too large");
      chunks.push(chunk);
    }
    return understood(Buffer.concat(chunks).toString("utf8"), schema);
  }
}

class Refused extends Error {}
class Invalid extends Error {}

function understood<T>(text: string, schema: z.ZodType<T>): T {
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch {
    throw new Invalid("answer is not JSON");
  }
  const parsed = schema.safeParse(data);
  if (!parsed.success) throw new Invalid(parsed.error.message);
  return parsed.data;
}

function reasonOf(error: unknown, deadline: AbortSignal): Absence {
  if (error instanceof BrokenCircuitError) return "circuit_open";
  if (deadline.aborted) return "deadline";
  if (error instanceof Refused) return "refused";
  return error instanceof Invalid ? "invalid" : "unreachable";
}
