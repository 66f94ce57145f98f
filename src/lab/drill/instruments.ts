import { quantileSorted } from "simple-statistics";
import type { Dispatcher } from "undici";
import { exchange } from "../../common/net/exchange.ts";
import { parseExposition } from "../../monitor/sources/scrape/parser.ts";
import type { ClientAnswer, Look } from "./recording.ts";

/** What the observer measures with: the services' own pages and what clients saw, never what the monitor says. */
export interface Instruments {
  /** Messages that wait in the gateway, all regions together. */
  queue(): Promise<number | undefined>;
  /** Sum of a metric's samples that have these labels; undefined: no page or no such sample. */
  metric(
    service: string,
    name: string,
    labels?: Readonly<Record<string, string>>,
  ): Promise<number | undefined>;
  /** 95th percentile of the customers' waits in the last seconds, milliseconds. */
  p95Ms(lastS: number): number | undefined;
  /** Share of the predictions of the last seconds that broke their schema. */
  invalidShare(lastS: number): number | undefined;
  /** Whether MLflow's health page answers. */
  mlflowAnswers(): Promise<boolean>;
}

/** Longest the observer waits for a page, milliseconds. */
const PAGE_MS = 1_000;
const MAX_PAGE_BYTES = 4_000_000;

/** One answer that a customer waited for. */
export interface Wait {
  /** Monotonic, seconds. */
  readonly atS: number;
  readonly ms: number;
}

export interface InstrumentOptions {
  readonly urls: ReadonlyMap<string, string>;
  readonly mlflowUrl: string | undefined;
  readonly dispatcher: Dispatcher;
  readonly waits: () => readonly Wait[];
  readonly predictions: () => readonly ClientAnswer[];
}

/** Instruments on the services of a run. */
export function createInstruments(options: InstrumentOptions): Instruments {
  const { urls, dispatcher } = options;
  const get = async (url: string): Promise<string | undefined> => {
    const result = await exchange({ url, dispatcher, timeoutMs: PAGE_MS, maxBytes: MAX_PAGE_BYTES });
    return result.ok && result.status === 200 ? result.body.toString("utf8") : undefined;
  };
  return {
    async queue() {
      const page = await get(`${urls.get("telemetry-gateway")}/health`);
      return page === undefined ? undefined : (JSON.parse(page) as { queue_depth?: number }).queue_depth;
    },
    async metric(service, name, labels = {}) {
      const page = await get(`${urls.get(service)}/metrics`);
      return page === undefined ? undefined : sumOf(page, name, labels);
    },
    p95Ms(lastS) {
      const recent = newest(options.waits(), lastS).map((wait) => wait.ms);
      return recent.length === 0
        ? undefined
        : quantileSorted(
            recent.sort((a, b) => a - b),
            0.95,
          );
    },
    invalidShare(lastS) {
      const recent = newest(options.predictions(), lastS).filter((answer) => answer.ok);
      return recent.length === 0 ? undefined : recent.filter((a) => !a.valid).length / recent.length;
    },
    mlflowAnswers: async () =>
      options.mlflowUrl !== undefined && (await get(`${options.mlflowUrl}/health`)) !== undefined,
  };
}

/** What came in the last seconds; the list is in order of time, so that only its end is looked at. */
function newest<T extends { readonly atS: number }>(all: readonly T[], lastS: number): T[] {
  const sinceS = performance.now() / 1_000 - lastS;
  const before = all.findLastIndex((one) => one.atS < sinceS);
  return all.slice(before + 1);
}

function sumOf(page: string, name: string, labels: Readonly<Record<string, string>>): number | undefined {
  const { samples } = parseExposition(page, new Set([name]));
  const matching = samples.filter((sample) =>
    Object.entries(labels).every(([label, value]) =>
      sample.labels.some(([key, given]) => key === label && given === value),
    ),
  );
  return matching.length === 0 ? undefined : matching.reduce((sum, sample) => sum + sample.value, 0);
}

/**
 * Seconds since a count last rose, e.g. since a region's telemetry last got through.
 * @param read the count; undefined: not known, and then neither is the silence.
 */
export function silenceOf(read: () => Promise<number | undefined>): () => Promise<number | undefined> {
  let last: number | undefined;
  let roseAtS: number | undefined;
  return async () => {
    const count = await read();
    const nowS = performance.now() / 1_000;
    if (count === undefined) return undefined;
    // A count that fell belongs to a process that was started again.
    if (last === undefined || count !== last) roseAtS = nowS;
    last = count;
    return roseAtS === undefined ? undefined : nowS - roseAtS;
  };
}

/** A page that cannot be read says nothing. */
async function known(
  read: () => Promise<number | undefined> | number | undefined,
): Promise<number | undefined> {
  try {
    return await read();
  } catch {
    return undefined;
  }
}

export interface Observer {
  /** What was seen so far; `atS` is monotonic time. */
  looks(): readonly Look[];
  stop(): Promise<void>;
}

/** Looks at queue and level again and again, `everyMs` apart or as fast as they answer. */
export function startObserver(options: {
  readonly instruments: Instruments;
  readonly meter: () => Promise<number | undefined> | number | undefined;
  readonly everyMs: number;
}): Observer {
  const looks: Look[] = [];
  let stopped = false;
  let wake = () => {};
  const run = async () => {
    while (!stopped) {
      const atMs = performance.now();
      const [queue, level] = await Promise.all([known(options.instruments.queue), known(options.meter)]);
      looks.push({
        atS: atMs / 1_000,
        ...(queue === undefined ? {} : { queue }),
        ...(level === undefined ? {} : { level }),
      });
      const restMs = Math.max(0, options.everyMs - (performance.now() - atMs));
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, restMs);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
        if (stopped) wake();
      });
    }
  };
  const running = run();
  return {
    looks: () => looks,
    async stop() {
      stopped = true;
      wake();
      await running;
    },
  };
}
