import { isObject } from "../../src/common/net/json.ts";
import type { WireAnswer } from "./wire.ts";

/**
 * Faults of a reader, planted between the answer and the real one: each takes one kind of sampleProblem for sense. A campaign
 * in which none of them acts would have shown nothing of the sampleProblem it is about.
 */
export interface Mutant {
  readonly name: string;
  readonly repair: (answer: WireAnswer, honest: Buffer, nowS: number) => WireAnswer;
}

type Json = Record<string, unknown>;

function asRecord(value: unknown): Json {
  return isObject(value) ? value : {};
}

function parsed(answer: WireAnswer): Json | undefined {
  try {
    return asRecord(JSON.parse(answer.body.toString("utf8")));
  } catch {
    return undefined;
  }
}

/** Changes the JSON of an answer; what is no JSON stays. */
function json(name: string, change: (body: Json, nowS: number) => unknown): Mutant {
  return {
    name,
    repair: (answer, _honest, nowS) => {
      const body = parsed(answer);
      return body === undefined
        ? answer
        : { ...answer, body: Buffer.from(JSON.stringify(change(body, nowS))) };
    },
  };
}

/** Changes the time and value of every row. */
function values(
  name: string,
  change: (value: unknown, at: unknown, nowS: number) => [unknown, unknown],
): Mutant {
  return json(name, (body, nowS) => ({
    ...body,
    data: {
      ...asRecord(body.data),
      result: rowsIn(body).map((row) => {
        const { value } = asRecord(row);
        if (!Array.isArray(value)) return row;
        const [at, raw] = change(value[1], value[0], nowS);
        return { ...asRecord(row), value: [at, raw] };
      }),
    },
  }));
}

function rowsIn(body: Json): unknown[] {
  const { result } = asRecord(body.data);
  return Array.isArray(result) ? result : [];
}

/** Far past every limit of the armed loop. */
const LARGE = "9999";

export const VALUE_MUTANTS: readonly Mutant[] = [
  values("NaN is a number", (raw, at) => [at, raw === "NaN" ? LARGE : raw]),
  values("infinity is a large number", (raw, at) => [at, /^\+?Inf$/.test(String(raw)) ? LARGE : raw]),
  values("a number that is no text is taken", (raw, at) => [at, typeof raw === "number" ? String(raw) : raw]),
  values("what stands behind a number is dropped", (raw, at) => [
    at,
    typeof raw === "string" && Number.parseFloat(raw) > 0
      ? String(Math.min(Number.parseFloat(raw), 1e9))
      : raw,
  ]),
  values("the sign is dropped", (raw, at) => [at, typeof raw === "string" ? raw.replace(/^-/, "") : raw]),
  values("the time of the evaluation is not looked at", (raw, _at, nowS) => [nowS, raw]),
  json("the last of two series is taken", (body) => ({
    ...body,
    data: {
      ...asRecord(body.data),
      result: [...new Map(rowsIn(body).map((r) => [asRecord(asRecord(r).metric).job, r])).values()],
    },
  })),
];

export const FRESHNESS_MUTANTS: readonly Mutant[] = [
  values("a failed scrape counts", (raw, at) => [at, typeof raw === "string" ? raw.replace(/^-/, "") : raw]),
  values("the age of the samples is not looked at", (_raw, at, nowS) => [at, String(nowS - 1)]),
];

export const ENVELOPE_MUTANTS: readonly Mutant[] = [
  json("warnings are not read", ({ warnings: _, ...body }) => body),
  json("partial data are not noticed", ({ infos: _, ...body }) => body),
  json("the status is not read", (body) => ({ ...body, status: "success" })),
  json("the type of the result is not read", (body) => ({
    ...body,
    data: { ...asRecord(body.data), resultType: "vector" },
  })),
  { name: "any HTTP status will do", repair: ({ headers = {}, body }) => ({ headers, body }) },
  {
    name: "any content type will do",
    repair: (answer) => ({ ...answer, headers: { ...answer.headers, "content-type": "application/json" } }),
  },
  {
    name: "what was cut off is guessed",
    repair: (answer, honest) =>
      answer.body.length > 0 && honest.subarray(0, answer.body.length).equals(answer.body)
        ? { ...answer, body: honest }
        : answer,
  },
];
