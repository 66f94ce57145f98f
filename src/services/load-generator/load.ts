import type { Logger } from "pino";
import { Agent } from "undici";
import { exchange } from "../../common/net/exchange.ts";
import { seededRandom } from "../kit/random.ts";
import { startArrivals } from "./arrivals.ts";
import { type LoadRequest, nextRequest } from "./mix.ts";

/** Longest page that is read, bytes. */
const MAX_ANSWER_BYTES = 1_000_000;

export interface LoadOptions {
  /** E.g. `http://127.0.0.1:8000`. */
  readonly baseUrl: string;
  /** Mean arrivals a second, 0 < rate <= 10,000. */
  readonly ratePerSecond: number;
  /** Requests under way at once; arrivals beyond it are shed. Default 200. */
  readonly maxInFlight?: number;
  /** Same seed, same requests at the same distances. Default 1. */
  readonly seed?: number;
  readonly logger?: Logger;
  /** Deadline of one request, milliseconds. Default 10,000. */
  readonly timeoutMs?: number;
  /** Told of each answer: what was asked, whether it came in time and below 500, and how long it took, milliseconds. */
  readonly onAnswer?: (answer: {
    readonly kind: LoadRequest["kind"];
    readonly ok: boolean;
    readonly ms: number;
  }) => void;
}

interface LoadStats {
  /** Arrivals so far; the sum of the four below. */
  readonly offered: number;
  /** Answered below 500. */
  readonly ok: number;
  /** Answered 5xx, refused, cut off, or late. */
  readonly failed: number;
  /** Never sent: too many were under way. */
  readonly shed: number;
  readonly inFlight: number;
}

export interface RunningLoad {
  stats(): LoadStats;
  /** Sends no more, and waits for what is under way, at most its deadline. */
  stop(): Promise<LoadStats>;
}

/**
 * Offers load like independent customers: arrivals do not wait for answers (open loop), so that a slow service sees
 * the same demand as a fast one. A service that is down only raises `failed`. Throws `RangeError` for a bad option.
 */
export function startLoad(options: LoadOptions): RunningLoad {
  const { ratePerSecond, maxInFlight = 200, timeoutMs = 10_000, seed = 1 } = options;
  if (!(ratePerSecond > 0 && ratePerSecond <= 10_000)) {
    throw new RangeError(`ratePerSecond is ${ratePerSecond}: expected arrivals a second, 0 < rate <= 10000`);
  }
  if (!(Number.isInteger(maxInFlight) && maxInFlight > 0)) {
    throw new RangeError(`maxInFlight is ${maxInFlight}: expected a whole number above 0`);
  }
  const origin = new URL(options.baseUrl).origin;
  const agent = new Agent({ connections: maxInFlight, pipelining: 1, connect: { timeout: timeoutMs } });
  const contents = seededRandom(seed ^ 0x5bd1e995);
  const counts = { offered: 0, ok: 0, failed: 0, shed: 0 };
  const underWay = new Set<Promise<void>>();
  const stopArrivals = startArrivals({ random: seededRandom(seed), ratePerSecond, arrive });

  function arrive(): void {
    const request = nextRequest(contents);
    counts.offered += 1;
    if (underWay.size >= maxInFlight) {
      counts.shed += 1;
      return;
    }
    const beganMs = performance.now();
    const sent: Promise<void> = send({ agent, origin, request, timeoutMs, logger: options.logger }).then(
      (ok) => {
        counts[ok ? "ok" : "failed"] += 1;
        options.onAnswer?.({ kind: request.kind, ok, ms: performance.now() - beganMs });
        underWay.delete(sent);
      },
    );
    underWay.add(sent);
  }

  const stats = (): LoadStats => ({ ...counts, inFlight: underWay.size });
  return {
    stats,
    async stop() {
      stopArrivals();
      await Promise.all(underWay);
      await agent.destroy();
      return stats();
    },
  };
}

/** True when the answer came in time and below 500. Never throws. */
async function send(options: {
  readonly agent: Agent;
  readonly origin: string;
  readonly request: LoadRequest;
  readonly timeoutMs: number;
  readonly logger: Logger | undefined;
}): Promise<boolean> {
  const { agent: dispatcher, origin, request, timeoutMs, logger } = options;
  const { method, path, body, kind } = request;
  const headers: Record<string, string> = body === undefined ? {} : { "content-type": "application/json" };
  const url = `${origin}${path}`;
  const result = await exchange({
    url,
    method,
    headers,
    body,
    dispatcher,
    timeoutMs,
    maxBytes: MAX_ANSWER_BYTES,
  });
  if (!result.ok) logger?.debug({ error: result.detail, kind }, "load request failed");
  return result.ok && result.status < 500;
}
