import { type Env, namesOf } from "../kit/env.ts";
import { ServiceConfigError } from "../kit/errors.ts";
import type { Assistant } from "./assistants/failover.ts";

export interface RouterSettings {
  /** In the order they are asked. */
  readonly assistants: readonly Assistant[];
  /** Deadline of one call of an assistant, milliseconds. */
  readonly deadlineMs: number;
  readonly breaker: { readonly minCalls: number; readonly openMs: number };
  readonly jobs: {
    /** Jobs that may wait; more are refused. */
    readonly capacity: number;
    /** Jobs that are worked on at the same time. */
    readonly concurrency: number;
  };
  /** NATS server of the job queue; undefined: an embedded database. */
  readonly natsUrl: string | undefined;
  /** Pause between two pings of a WebSocket, milliseconds. */
  readonly pingMs: number;
  /** Names that browsers call it by, and those of other sites whose pages may open a socket. */
  readonly hosts: readonly string[];
}

/**
 * Settings of the router from the environment; an empty variable counts as absent. Throws `ServiceConfigError` naming
 * the variable and what would be right.
 */
export function readRouterSettings(env: Env): RouterSettings {
  return {
    assistants: [
      { name: "primary", url: baseUrl(env, "LLM_ASSISTANT_URL", "http://127.0.0.1:8003") },
      { name: "secondary", url: baseUrl(env, "LLM_ASSISTANT_SECONDARY_URL", "http://127.0.0.1:8004") },
    ],
    deadlineMs: whole(env, { name: "LLM_ASSISTANT_TIMEOUT_MS", fallback: 5_000, min: 50, max: 60_000 }),
    // Twice the deadline: with less, a probe of a silent assistant would be under way most of the time.
    breaker: {
      minCalls: whole(env, { name: "LLM_ROUTER_BREAKER_MIN_CALLS", fallback: 5, min: 1, max: 10_000 }),
      openMs: whole(env, { name: "LLM_ROUTER_BREAKER_OPEN_MS", fallback: 10_000, min: 50, max: 600_000 }),
    },
    jobs: {
      capacity: whole(env, { name: "LLM_ROUTER_JOB_CAPACITY", fallback: 10_000, min: 1, max: 1_000_000 }),
      concurrency: whole(env, { name: "LLM_ROUTER_JOB_CONCURRENCY", fallback: 8, min: 1, max: 256 }),
    },
    natsUrl: natsUrl(env.NATS_URL || undefined),
    pingMs: whole(env, { name: "LLM_ROUTER_WS_PING_MS", fallback: 15_000, min: 50, max: 600_000 }),
    hosts: namesOf(env.LLM_ROUTER_ALLOWED_HOSTS),
  };
}

function baseUrl(env: Env, name: string, fallback: string): string {
  const text = env[name] || fallback;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const fits =
    url !== undefined &&
    (url.protocol === "http:" || url.protocol === "https:") &&
    url.search === "" &&
    url.hash === "";
  if (fits) return text.replace(/\/+$/, "");
  throw new ServiceConfigError(
    `${name} is ${JSON.stringify(text)}: expected the base URL of an assistant, e.g. http://llm-assistant:8003`,
  );
}

function natsUrl(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const parts = text.split(",");
  if (parts.every((part) => /^(nats|tls):\/\/\S+$/.test(part) && URL.canParse(part))) return text;
  throw new ServiceConfigError(
    `NATS_URL is ${JSON.stringify(text)}: expected nats://HOST:PORT, or several of them with commas`,
  );
}

function whole(
  env: Env,
  setting: { readonly name: string; readonly fallback: number; readonly min: number; readonly max: number },
): number {
  const { name, fallback, min, max } = setting;
  const text = env[name] || String(fallback);
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new ServiceConfigError(
    `${name} is ${JSON.stringify(text)}: expected a whole number, ${min} <= value <= ${max}`,
  );
}
