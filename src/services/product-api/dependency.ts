import { BrokenCircuitError, ConsecutiveBreaker, circuitBreaker, handleWhenResult } from "cockatiel";
import { Counter, type Registry } from "prom-client";
import { Agent } from "undici";
import type { z } from "zod";
import { exchangeJson, type JsonFailure } from "../../common/net/json.ts";

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
  const breaker = circuitBreaker(
    handleWhenResult((heard) => !(heard as Heard<unknown>).ok),
    {
      halfOpenAfter: REST_MS,
      breaker: new ConsecutiveBreaker(FAILURES),
    },
  );
  return {
    async ask(path, body, schema) {
      const heard = await attempt(path, body, schema);
      calls.inc({ dependency: name, result: heard.ok ? "ok" : heard.why });
      return heard;
    },
    close: () => agent.destroy(),
  };

  async function attempt<T>(path: string, json: unknown, schema: z.ZodType<T>): Promise<Heard<T>> {
    if (baseUrl === undefined) return { ok: false, why: "not_configured" };
    const request = {
      url: `${baseUrl}${path}`,
      method: "POST" as const,
      dispatcher: agent,
      maxBytes: MAX_BYTES,
    };
    try {
      return await breaker.execute(async () => {
        const answer = await exchangeJson({ ...request, json, timeoutMs: deadlineMs });
        if (!answer.ok) return { ok: false, why: ABSENCES[answer.kind] ?? "unreachable" } as const;
        if (answer.status !== 200) return { ok: false, why: "refused" } as const;
        const parsed = schema.safeParse(answer.json);
        return parsed.success ? { ok: true, value: parsed.data } : ({ ok: false, why: "invalid" } as const);
      });
    } catch (error) {
      if (error instanceof BrokenCircuitError) return { ok: false, why: "circuit_open" };
      throw error;
    }
  }
}

/** What else goes wrong is `unreachable`. */
const ABSENCES: Partial<Record<JsonFailure["kind"], Absence>> = {
  timeout: "deadline",
  redirect: "refused",
  bad_status: "refused",
  not_json: "invalid",
  too_large: "invalid",
};
