import { type Arrived, answer, type Reply } from "../engine/network.ts";
import type { SignalName } from "../scenario.ts";
import type { Seen } from "./metrics.ts";
import type { Known, Transport } from "./prometheus.ts";
import type { World } from "./world.ts";

/** The HTTP API of the world's Prometheus, as far as the monitor's client asks. */
export interface PrometheusHttp {
  handle(arrived: Arrived): Promise<Reply>;
}

interface Asked {
  readonly jobs: readonly string[];
  readonly what: "freshness" | "ages" | "starts" | "buckets" | "why" | "support" | "parts" | SignalName;
  /** Of what the ages are. */
  readonly of: SignalName | "parts" | undefined;
  /** The metric of `parts`. */
  readonly inbound: boolean;
}

/** Upper bounds, seconds, of a histogram that tells every latency there is. */
const BUCKETS = [...Array.from({ length: 40 }, (_, k) => String(2 ** k / 1024)), "+Inf"];

/** Queries of the source itself. */
const QUESTIONS: readonly (readonly [RegExp, Asked["what"]])[] = [
  [/^bottomk/, "freshness"],
  [/^min by/, "ages"],
  [/resets\(/, "starts"],
  [/^group by/, "buckets"],
  [/^max by \([^)]*\) \((?:timestamp|count_over_time|max_over_time)\(/, "why"],
];

/** Which of the client's queries this is. They are known: the definitions of the signals, and some of the source. */
function readQuery(promql: string): Asked {
  const jobs = (/job=~"([^"]*)"/.exec(promql)?.[1] ?? "").split("|").map((job) => job.replaceAll("\\", ""));
  const inbound = promql.includes("telemetry_received_total");
  const signal = (): SignalName | "parts" | "support" => {
    if (inbound || promql.includes('region!=""')) return "parts";
    if (promql.includes("http_request_duration_seconds_bucket")) return "p95_latency";
    if (promql.includes("http_request_errors_total")) return "error_rate";
    if (promql.includes("increase(http_requests_total")) return "support";
    if (promql.includes("http_requests_total")) return "error_rate";
    if (promql.includes("process_resident_memory_bytes")) return "memory";
    if (promql.includes("queue_depth")) return "backlog";
    throw new Error(`the simulated Prometheus does not know the query ${promql}`);
  };
  const asked = QUESTIONS.find(([pattern]) => pattern.test(promql))?.[1];
  const of = asked === undefined || asked === "ages" ? signal() : "support";
  return { jobs, what: asked ?? of, of: of === "support" ? undefined : of, inbound };
}

/** Serves one monitor, and notes what it was served. @param series of the plan in force. */
export function prometheusHttp(input: {
  world: World;
  seen: Seen;
  series: () => readonly Known[];
}): PrometheusHttp {
  const { world, seen } = input;
  const { prometheus, time } = world;
  const spoil = (asked: Asked, flaw: string) => {
    const of = asked.what === "ages" ? asked.of : asked.what;
    for (const s of input.series())
      if (asked.what === "freshness" || s.signal === of)
        seen.set(s.job, s.signal, { atMs: time.now, flaw, value: 0, scrapedMs: -1 });
  };
  // The same few queries come in every cycle.
  const read = new Map<string, Asked>();
  return {
    async handle(arrived) {
      const { body } = arrived;
      // The list of scraped targets: not every Prometheus has one.
      if (body === "") return answer(404, "404 page not found", { type: "text/plain" });
      const asked = read.get(body) ?? readQuery(new URLSearchParams(body).get("query") ?? "");
      read.set(body, asked);
      const transport = prometheus.transport();
      if (transport !== undefined && transport !== "prom_slow") {
        // What it would have said is true: it must be distrusted all the same.
        const reply = spoiltReply(transport, rowsOf(asked, input));
        spoil(asked, transport);
        return reply;
      }
      const text = JSON.stringify(vector(rowsOf(asked, input)));
      return answer(200, text, { afterMs: transport === "prom_slow" ? 2500 : 0 });
    },
  };
}

type Row = { metric: Record<string, string>; value: [number, unknown] };

function vector(result: readonly Row[], more: object = {}) {
  return { status: "success", data: { resultType: "vector", result }, ...more };
}

function rowsOf(asked: Asked, input: { world: World; seen: Seen; series: () => readonly Known[] }): Row[] {
  const { world, seen } = input;
  const { prometheus, scenario, time } = world;
  const evaluated = prometheus.wallMs() / 1000;
  const targetOf = (job: string) => scenario.targets.findIndex((t) => t.name === job);
  const row = (metric: Record<string, string>, value: unknown): Row => ({
    metric,
    value: [evaluated, value],
  });
  if (asked.what === "freshness")
    return asked.jobs.flatMap((job) => {
      const scrape = prometheus.scrape(targetOf(job));
      if (scrape === undefined) return [];
      const seconds = (scrape.up ? 1 : -1) * (scrape.wallMs / 1000);
      return [row({ job, instance: `${job}:8000` }, String(seconds))];
    });
  if (asked.what === "ages")
    return asked.jobs.flatMap((job) => {
      const target = targetOf(job);
      const scrape = prometheus.scrape(target);
      const known =
        asked.of === "parts" || input.series().some((s) => s.job === job && s.signal === asked.of);
      return scrape === undefined || !known ? [] : [row({ job }, String(scrape.wallMs / 1000))];
    });
  if (asked.what === "starts") return asked.jobs.map((job) => row({ job }, "0"));
  if (asked.what === "buckets")
    return asked.jobs.flatMap((job) => BUCKETS.map((le) => row({ job, le }, "1")));
  if (asked.what === "why") return [];
  if (asked.what === "support")
    return asked.jobs.map((job) => row({ job }, String(prometheus.support(targetOf(job)))));
  if (asked.what === "parts")
    return asked.jobs.flatMap((job) =>
      prometheus
        .parts(targetOf(job), 1000)
        .map((p) => row({ job, region: p.part }, String(asked.inbound ? p.inboundTotal : p.backlog))),
    );
  return input.series().flatMap((series) => {
    if (series.signal !== asked.what || !asked.jobs.includes(series.job)) return [];
    const served = prometheus.row(series);
    const scrape = prometheus.scrape(series.target);
    if (served === undefined || scrape === undefined) {
      seen.set(series.job, series.signal, {
        atMs: time.now,
        flaw: "no such series",
        value: 0,
        scrapedMs: -1,
      });
      return [];
    }
    const value = typeof served.value === "number" ? served.value : 0;
    seen.set(series.job, series.signal, { atMs: time.now, flaw: served.flaw, value, scrapedMs: scrape.atMs });
    const text = typeof served.value === "number" ? String(served.value) : served.value;
    const one = row({ job: series.job }, text);
    return served.twice ? [one, { ...one }] : [one];
  });
}

function spoiltReply(transport: Exclude<Transport, "prom_slow">, rows: readonly Row[]): Reply {
  const sound = JSON.stringify(vector(rows));
  switch (transport) {
    case "prom_refused":
      return { kind: "reset", afterMs: 1 };
    case "prom_hangs":
      return { kind: "silence" };
    case "prom_500":
      return answer(503, "Service Unavailable", { type: "text/plain" });
    case "prom_drips":
      return {
        kind: "answer",
        afterMs: 1,
        status: 200,
        headers: { "content-type": "application/json" },
        body: Array.from({ length: 60 }, () => ({ afterMs: 1500, data: " " })),
        end: "never",
      };
    case "prom_html":
      return answer(200, "<html><body>Welcome</body></html>", { type: "text/html" });
    case "prom_bad_json":
      return answer(200, `${sound}}}`);
    case "prom_truncated":
      return { ...(answer(200, sound.slice(0, -9)) as Reply & { kind: "answer" }), end: "broken" };
    case "prom_error":
      return answer(
        422,
        JSON.stringify({ status: "error", errorType: "execution", error: "query timed out" }),
      );
    case "prom_warnings":
      return answer(200, JSON.stringify(vector(rows, { warnings: ["remote read: partial answer"] })));
    case "prom_redirect":
      return answer(302, "", { headers: { location: "http://elsewhere.example/" } });
    case "prom_huge":
      return answer(200, sound, { headers: { "content-length": "999999999" } });
  }
}
