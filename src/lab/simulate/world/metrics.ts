import type {
  HistoryRequest,
  MetricSource,
  Observation,
  ObserveRequest,
  PartsObservation,
  PartsRequest,
  Unusable,
} from "../../../monitor/kernel/observation.ts";
import type { Series } from "../../../monitor/kernel/target.ts";
import type { SeenSeries } from "./facts.ts";
import type { PerSeries } from "./per-series.ts";
import { type Known, knownSeries, type Transport } from "./prometheus.ts";
import type { World } from "./world.ts";

/** What one monitor was served, series by series. */
export type Seen = PerSeries<SeenSeries>;

/** How old a last scrape may be, and how far ahead, milliseconds: as the client is told. */
export interface Limits {
  readonly maxSampleAgeMs: number;
  readonly maxFutureMs: number;
}

interface Asking {
  readonly world: World;
  readonly seen: Seen;
  readonly limits: Limits;
}

const NAME = "prometheus";

/** What the real client makes of an answer that is spoilt as a whole. */
const SPOILT: Readonly<Record<Exclude<Transport, "prom_slow" | "prom_hangs" | "prom_drips">, Unusable>> = {
  prom_refused: "unreachable",
  prom_500: "unreachable",
  prom_html: "invalid",
  prom_bad_json: "invalid",
  prom_truncated: "invalid",
  prom_error: "invalid",
  prom_warnings: "invalid",
  prom_redirect: "invalid",
  prom_huge: "invalid",
};

const known = new WeakMap<readonly Series[], readonly Known[]>();

/** The series of a plan as Prometheus knows them. */
export function knownOf(plan: readonly Series[], world: World): readonly Known[] {
  const before = known.get(plan);
  if (before !== undefined) return before;
  const now = knownSeries(plan, world.scenario.targets);
  known.set(plan, now);
  return now;
}

/** The metric source at its port: what the real client would say of the same answers, without the HTTP between. */
export function portSource(asking: Asking): MetricSource {
  const { world } = asking;
  return {
    name: NAME,
    observe: (request) => observe(request, asking),
    history: (request) => history(request, world),
    parts: (request) => parts(request, asking),
  };
}

async function observe(request: ObserveRequest, asking: Asking): Promise<readonly Observation[]> {
  const { world, seen } = asking;
  const { faults, prometheus, time } = world;
  const { plan, signal } = request;
  const spoil = (flaw: string) => {
    for (const { target, signal: s } of plan)
      seen.set(target.name, s.name, { atMs: time.now, flaw, value: 0, scrapedMs: -1 });
  };
  const all = (status: Unusable, flaw: string): Observation[] => {
    spoil(flaw);
    return plan.map(() => ({ status, source: NAME, detail: flaw }));
  };
  if (faults.meet("source_throws") !== undefined) {
    spoil("source_throws");
    throw new Error("simulated defect of a source");
  }
  if (faults.meet("source_hangs") !== undefined) {
    spoil("source_hangs");
    return new Promise(() => {});
  }
  const transport = prometheus.transport();
  if (transport === "prom_hangs" || transport === "prom_drips") {
    await aborted(signal);
    return all("unreachable", transport);
  }
  if (transport === "prom_slow") await time.sleep(2000 + 4000 * (request.now.wallMs % 1));
  else if (transport !== undefined) return all(SPOILT[transport], transport);
  const nowMs = request.now.wallMs;
  const observations = knownOf(plan, world).map((series, i) =>
    read(series, plan[i] as Series, nowMs, asking),
  );
  return betray(observations, { world, spoil });
}

/** A source that breaks its own contract: what it says is not what it may say. */
function betray(
  good: Observation[],
  { world, spoil }: { world: World; spoil: (flaw: string) => void },
): readonly Observation[] {
  const { faults } = world;
  if (faults.meet("source_short") !== undefined) {
    spoil("source_short");
    return good.slice(1);
  }
  const sampleProblem = faults.meet("source_nonsense") !== undefined;
  const future = faults.meet("source_future") !== undefined;
  if (!sampleProblem && !future) return good;
  spoil(sampleProblem ? "source_nonsense" : "source_future");
  return good.map((o, i): Observation => {
    if (o.status !== "ok") return o;
    if (sampleProblem) return { ...o, value: i % 2 === 0 ? Number.NaN : -1 };
    return { ...o, timestampMs: o.timestampMs + 86_400_000 };
  });
}

function read(series: Known, { target, signal }: Series, nowMs: number, asking: Asking): Observation {
  const { world, seen, limits } = asking;
  const { prometheus, time } = world;
  const served = prometheus.served(series);
  const unusable = (status: Unusable, detail: string): Observation => {
    seen.set(target.name, signal.name, { atMs: time.now, flaw: detail, value: 0, scrapedMs: -1 });
    return { status, source: NAME, detail };
  };
  if (served === undefined) return unusable("missing", "no such series");
  const { scrape, row } = served;
  const age = (ms: number) => nowMs - ms;
  for (const ms of [scrape.wallMs, prometheus.wallMs()]) {
    if (age(ms) < -limits.maxFutureMs) return unusable("invalid", "it is in the future");
    if (age(ms) > limits.maxSampleAgeMs) return unusable("stale", "it is too old");
  }
  if (!scrape.up) return unusable("unreachable", "the last scrape failed");
  if (row.twice) return unusable("invalid", "more than one series");
  if (typeof row.value !== "number") return unusable("missing", `value is ${row.value}`);
  if (row.value < 0) return unusable("invalid", "value is negative");
  seen.set(target.name, signal.name, {
    atMs: time.now,
    flaw: row.flaw,
    value: row.value,
    scrapedMs: scrape.atMs,
  });
  return {
    status: "ok",
    source: NAME,
    value: row.value,
    timestampMs: scrape.wallMs,
    ...(series.windowed ? { support: prometheus.support(series.target) } : {}),
  };
}

/** Past values at the port: the client of the range query has a transport of its own. */
export async function history(request: HistoryRequest, world: World) {
  const { plan } = request;
  const { prometheus, time } = world;
  if (prometheus.transport() !== undefined) return plan.map(() => []);
  await time.sleep(50);
  return knownOf(plan, world).map((series) =>
    prometheus.row(series)?.flaw === undefined ? prometheus.history(series, request) : [],
  );
}

async function parts(request: PartsRequest, asking: Asking): Promise<readonly PartsObservation[]> {
  const { world } = asking;
  const { prometheus, scenario } = world;
  const transport = prometheus.transport();
  return request.targets.map((target): PartsObservation => {
    const index = scenario.targets.findIndex((t) => t.name === target.name);
    const scrape = prometheus.scrape(index);
    const usable = transport === undefined && scrape?.up === true;
    if (!usable) return { status: "unreachable", source: NAME, detail: transport ?? "not scraped" };
    if (request.now.wallMs - scrape.wallMs > asking.limits.maxSampleAgeMs)
      return { status: "stale", source: NAME, detail: "it is too old" };
    const limit = target.signals.find((s) => s.name === "backlog")?.thresholds.limit ?? 1000;
    return { status: "ok", source: NAME, timestampMs: scrape.wallMs, parts: prometheus.parts(index, limit) };
  });
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
