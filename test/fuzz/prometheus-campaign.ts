import { createPrometheusSource } from "../../src/monitor/sources/prometheus/index.ts";
import { type FaultServer, respond } from "../setup/fault-server.ts";
import { promqlIn, questionOf } from "../setup/prometheus-queries.ts";
import { arm, MAX_SAMPLE_AGE_MS, misread } from "./armed.ts";
import type { Mutant } from "./mutants.ts";
import {
  answerOf,
  type EnvelopeCase,
  envelope,
  type FreshCase,
  freshRowsOf,
  honestRow,
  JSON_TYPE,
  type RowCase,
  rowsOf,
  type Truth,
} from "./prometheus-answers.ts";
import { Wire, type WireAnswer, type WireRequest } from "./wire.ts";

/** Largest answer that the source under test accepts. */
const CAP_BYTES = 64 * 1024;

/** What is shown to an armed loop: one element a target and cycle, or one whole answer a cycle about the age of all. */
export type Shown =
  | {
      readonly about: "rows";
      readonly aggregate: "job" | "worst_instance";
      readonly cases: readonly RowCase[];
    }
  | { readonly about: "fresh"; readonly cases: readonly FreshCase[] }
  | { readonly about: "envelopes"; readonly cases: readonly EnvelopeCase[] }
  | { readonly about: "fresh_envelopes"; readonly cases: readonly EnvelopeCase[] };

export interface Verdict {
  readonly cases: number;
  /** What was taken for a value or acted on. */
  readonly misread: readonly { readonly case: unknown; readonly what: string }[];
  readonly acted: number;
  /** Targets that were not acted on when at last an honest answer came: then the silence before means nothing. */
  readonly unarmed: readonly string[];
}

export interface Campaign {
  readonly targets: number;
  readonly mutant?: Mutant;
  /** Answers over real connections, in place of a wire without a network. */
  readonly server?: FaultServer;
}

/** Shows it to a loop that the next honest answer sets off, then gives the honest answer. */
export async function show(shown: Shown, { targets: count, mutant, server }: Campaign): Promise<Verdict> {
  const each = shown.about === "fresh_envelopes" ? 1 : count;
  const now: { from: number | undefined } = { from: undefined };
  const armed = await arm({
    count,
    aggregate: shown.about === "rows" ? shown.aggregate : "job",
    // A query of its own for each target where whole answers are spoilt, one for all where rows are.
    signal: (at) => (shown.about === "envelopes" ? { promql: `q${at}{job=~"$jobs"}` } : {}),
    source: ({ time, value }) => {
      const reply = (request: WireRequest): WireAnswer => {
        const nowS = time.clock.now().wallMs / 1000;
        const asked = { request, nowS, value: value(), count };
        const honest = honestAnswer(asked);
        if (now.from === undefined) return honest;
        const spoilt = spoil(shown, { ...asked, from: now.from });
        if (spoilt === undefined) return honest;
        return mutant?.repair(spoilt, honest.body, nowS) ?? spoilt;
      };
      server?.behave((exchange) =>
        respond(reply({ origin: server.url, path: "", body: exchange.body }))(exchange),
      );
      const { name, observe } = createPrometheusSource({
        baseUrl: server?.url ?? "http://127.0.0.1:9090",
        timeoutMs: 600_000,
        maxResponseBytes: CAP_BYTES,
        maxSampleAgeMs: MAX_SAMPLE_AGE_MS,
        maxFutureMs: 10_000,
        rateWindowMs: 60_000,
        maxRetryDelayMs: 0,
        random: () => 0,
        ...(server === undefined ? { dispatcher: new Wire(reply) } : {}),
      });
      // Without history: a past is read over the network, by another client, before anything is decided.
      return { name, observe };
    },
  });
  const found: { case: unknown; what: string }[] = [];
  let cases = 0;
  for (let from = 0; from < shown.cases.length; from += each) {
    now.from = from;
    const report = await armed.tick();
    cases += each;
    for (const { target, what } of misread(report)) {
      const at = shown.about === "fresh_envelopes" ? from : from + Number(target.slice(1));
      found.push({ case: pick<unknown>(shown.cases, at), what });
    }
  }
  const acted = armed.fleet.effects.length;
  now.from = undefined;
  if (found.length === 0) await armed.tick();
  const moved = new Set(armed.fleet.effects.map(({ intent }) => intent.target));
  const unarmed =
    found.length === 0 ? armed.targets.flatMap(({ name }) => (moved.has(name) ? [] : [name])) : [];
  return { cases, misread: found, acted, unarmed };
}

interface Asked {
  readonly request: WireRequest;
  readonly nowS: number;
  readonly value: number;
  readonly count: number;
}

function isFreshness({ request }: Asked): boolean {
  return ["scraped", "ages"].includes(questionOf(request.body));
}

function truths(asked: Asked, scrape: boolean, instance?: string): Truth[] {
  const own = /\bq(\d+)\{/.exec(promqlIn(asked.request.body))?.[1];
  const all = own === undefined ? Array.from({ length: asked.count }, (_, at) => at) : [Number(own)];
  const value = scrape ? asked.nowS - 1 : asked.value;
  return all.map((at) => ({ job: `t${at}`, instance, nowS: asked.nowS, value }));
}

function answer(rows: readonly unknown[]): WireAnswer {
  return { headers: JSON_TYPE, body: Buffer.from(JSON.stringify(envelope(rows))) };
}

function honestAnswer(asked: Asked): WireAnswer {
  if (!["values", "scraped", "ages"].includes(questionOf(asked.request.body))) return answer([]);
  return answer(truths(asked, isFreshness(asked)).map(honestRow));
}

/** A short list is shown over and over, so that every cycle is full. */
function pick<T>(cases: readonly T[], at: number): T {
  return cases[at % cases.length] as T;
}

function spoil(shown: Shown, asked: Asked & { readonly from: number }): WireAnswer | undefined {
  const fresh = isFreshness(asked);
  const { from } = asked;
  if (!fresh && questionOf(asked.request.body) !== "values") return undefined;
  if (shown.about === "rows" && !fresh) {
    const of = truths(asked, false, shown.aggregate === "job" ? undefined : "t:8000");
    return answer(of.flatMap((truth, at) => rowsOf(pick(shown.cases, from + at), truth)));
  }
  if (shown.about === "fresh" && fresh)
    return answer(
      truths(asked, true).flatMap((truth, at) => freshRowsOf(pick(shown.cases, from + at), truth)),
    );
  if (shown.about === "envelopes" && !fresh) {
    const of = truths(asked, false);
    const c = pick(shown.cases, from + Number(of[0]?.job.slice(1)));
    return answerOf(c, of.map(honestRow), CAP_BYTES);
  }
  if (shown.about === "fresh_envelopes" && fresh)
    return answerOf(pick(shown.cases, from), truths(asked, true).map(honestRow), CAP_BYTES);
  return undefined;
}
