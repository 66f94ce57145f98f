import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { absurdShift, absurdValue, anyJson, noTime } from "./absurd-json.ts";
import type { WireAnswer } from "./wire.ts";

/** What an honest answer would hold for one target. */
export interface Truth {
  readonly job: string;
  readonly instance: string | undefined;
  /** Wall clock, seconds. */
  readonly nowS: number;
  readonly value: number;
}

export function honestRow({ job, instance, nowS, value }: Truth): unknown {
  return { metric: instance === undefined ? { job } : { job, instance }, value: [nowS, String(value)] };
}

/** The rows an answer has for one target, in place of the honest one. */
export type RowCase =
  | { readonly kind: "value"; readonly value: unknown }
  | { readonly kind: "shifted"; readonly seconds: number }
  | { readonly kind: "no_time"; readonly time: unknown }
  | { readonly kind: "pair"; readonly pair: unknown }
  | { readonly kind: "metric"; readonly metric: unknown }
  | { readonly kind: "row"; readonly row: unknown }
  | { readonly kind: "job"; readonly job: unknown }
  | { readonly kind: "duplicate"; readonly factor: number }
  | { readonly kind: "absent" };

const duplicates: fc.Arbitrary<RowCase> = fc
  .constantFrom(1, 0, 2, 1e6)
  .map((factor) => ({ kind: "duplicate", factor }));

const shapes: fc.Arbitrary<RowCase> = fc.oneof(
  fc
    .oneof(fc.constantFrom([], ["5000"], {}, null, "5000", 5000), anyJson)
    .map((pair): RowCase => ({ kind: "pair", pair })),
  anyJson.map((metric): RowCase => ({ kind: "metric", metric })),
  anyJson.map((row): RowCase => ({ kind: "row", row })),
  fc
    .oneof(fc.constantFrom("", " ", "T", null, 0), anyJson)
    .map((job): RowCase => ({ kind: "job", job: typeof job === "string" ? `${job}~` : job })),
  fc.constant<RowCase>({ kind: "absent" }),
);

/** Rows of an answer to a query for values. */
export const rowCase: fc.Arbitrary<RowCase> = fc.oneof(
  { weight: 5, arbitrary: absurdValue.map((value): RowCase => ({ kind: "value", value })) },
  { weight: 2, arbitrary: absurdShift.map((seconds): RowCase => ({ kind: "shifted", seconds })) },
  { weight: 1, arbitrary: noTime.map((time): RowCase => ({ kind: "no_time", time })) },
  { weight: 1, arbitrary: duplicates },
  { weight: 2, arbitrary: shapes },
);

export function rowsOf(c: RowCase, truth: Truth): readonly unknown[] {
  const { nowS, value } = truth;
  const honest = honestRow(truth) as { metric: object; value: unknown };
  switch (c.kind) {
    case "value":
      return [{ ...honest, value: [nowS, c.value] }];
    case "shifted":
      return [{ ...honest, value: [nowS + c.seconds, String(value)] }];
    case "no_time":
      return [{ ...honest, value: [c.time, String(value)] }];
    case "pair":
      return [{ ...honest, value: c.pair }];
    case "metric":
      return [{ ...honest, metric: c.metric }];
    case "row":
      return [c.row];
    case "job":
      return [{ ...honest, metric: { ...honest.metric, job: c.job } }];
    case "duplicate":
      return [honest, { ...honest, value: [nowS, String(value * c.factor)] }];
    case "absent":
      return [];
  }
}

/** What an answer says of the last scrape of one target, in place of the honest time. */
export type FreshCase =
  | RowCase
  | { readonly kind: "scraped"; readonly seconds: number }
  | { readonly kind: "down" };

export const freshCase: fc.Arbitrary<FreshCase> = fc.oneof(
  { weight: 3, arbitrary: absurdShift.map((seconds): FreshCase => ({ kind: "scraped", seconds })) },
  { weight: 1, arbitrary: fc.constant<FreshCase>({ kind: "down" }) },
  { weight: 3, arbitrary: absurdValue.map((value): FreshCase => ({ kind: "value", value })) },
  {
    weight: 1,
    // The time of its evaluation may be any number: the time of the scrape is what counts.
    arbitrary: noTime
      .filter((time) => typeof time !== "number")
      .map((time): FreshCase => ({ kind: "no_time", time })),
  },
  { weight: 1, arbitrary: duplicates },
  { weight: 2, arbitrary: shapes },
);

/** `truth.value`: time of the last scrape, seconds. */
export function freshRowsOf(c: FreshCase, truth: Truth): readonly unknown[] {
  if (c.kind === "scraped") return [honestRow({ ...truth, value: truth.value + c.seconds })];
  if (c.kind === "down") return [honestRow({ ...truth, value: -truth.value })];
  return rowsOf(c, truth);
}

export function envelope(rows: readonly unknown[]): Record<string, unknown> {
  return { status: "success", data: { resultType: "vector", result: rows } };
}

export const JSON_TYPE = { "content-type": "application/json" };

function jsonAnswer(body: unknown): WireAnswer {
  return { headers: JSON_TYPE, body: Buffer.from(JSON.stringify(body)) };
}

/** A whole answer that cannot be used, whatever honest rows stand in it. */
export type EnvelopeCase =
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "json"; readonly json: unknown }
  | { readonly kind: "truncated"; readonly share: number }
  | { readonly kind: "corrupted"; readonly share: number; readonly byte: number; readonly insert: boolean }
  | { readonly kind: "http"; readonly status: number }
  | { readonly kind: "type"; readonly type: string }
  | { readonly kind: "gzip"; readonly cut: number }
  | { readonly kind: "padded" }
  | { readonly kind: "with"; readonly fields: Readonly<Record<string, unknown>> }
  | { readonly kind: "data"; readonly data: unknown }
  | { readonly kind: "result_type"; readonly type: unknown }
  | { readonly kind: "wrapped"; readonly by: "array" | "data" | "twice" | "string" };

/** Bytes that stand nowhere in JSON: control characters that are no blanks, and bytes that are no UTF-8. */
const FOREIGN = [0x00, 0x01, 0x07, 0x08, 0x0b, 0x0c, 0x1b, 0x1f, 0x80, 0xbf, 0xc0, 0xff];
const share = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

const broken: fc.Arbitrary<EnvelopeCase> = fc.oneof(
  fc.uint8Array({ maxLength: 400 }).map((bytes): EnvelopeCase => ({ kind: "bytes", bytes })),
  fc.string({ unit: "binary", maxLength: 200 }).map((text): EnvelopeCase => ({ kind: "text", text })),
  anyJson.map((json): EnvelopeCase => ({ kind: "json", json })),
  share.map((s): EnvelopeCase => ({ kind: "truncated", share: s })),
  fc
    .record({ share, byte: fc.constantFrom(...FOREIGN), insert: fc.boolean() })
    .map((c): EnvelopeCase => ({ kind: "corrupted", ...c })),
);

const distrusted: fc.Arbitrary<EnvelopeCase> = fc.oneof(
  fc
    .oneof(
      fc.array(anyJson, { minLength: 1, maxLength: 3 }),
      anyJson.filter((value) => value !== null && !Array.isArray(value)),
    )
    .map((warnings): EnvelopeCase => ({ kind: "with", fields: { warnings } })),
  fc
    .constantFrom("partial response: 1 of 2 stores", "PARTIAL", "results may be Partial data")
    .map(
      (info): EnvelopeCase => ({ kind: "with", fields: { infos: ["metric might not be a counter", info] } }),
    ),
  anyJson
    .filter((status) => status !== "success")
    .map(
      (status): EnvelopeCase => ({ kind: "with", fields: { status, error: "sad", errorType: "internal" } }),
    ),
  fc
    .constantFrom(
      201,
      202,
      203,
      204,
      206,
      226,
      300,
      301,
      302,
      307,
      308,
      400,
      401,
      403,
      404,
      408,
      418,
      422,
      429,
      451,
    )
    .map((status): EnvelopeCase => ({ kind: "http", status })),
  fc.constantFrom(500, 502, 503, 504, 599).map((status): EnvelopeCase => ({ kind: "http", status })),
  fc
    .constantFrom(
      "",
      "text/html",
      "text/plain; charset=utf-8",
      "application/octet-stream",
      "jsonp",
      "x/jsonl",
    )
    .map((type): EnvelopeCase => ({ kind: "type", type })),
);

const misshapen: fc.Arbitrary<EnvelopeCase> = fc.oneof(
  anyJson.map((data): EnvelopeCase => ({ kind: "data", data })),
  fc
    .oneof(fc.constantFrom("matrix", "scalar", "string", "Vector", "", null), anyJson)
    .filter((type) => type !== "vector")
    .map((type): EnvelopeCase => ({ kind: "result_type", type })),
  fc
    .constantFrom("array", "data", "twice", "string")
    .map((by): EnvelopeCase => ({ kind: "wrapped", by: by as "array" })),
  fc.integer({ min: 1, max: 12 }).map((cut): EnvelopeCase => ({ kind: "gzip", cut })),
);

export const envelopeCase: fc.Arbitrary<EnvelopeCase> = fc.oneof(
  { weight: 40, arbitrary: broken },
  { weight: 40, arbitrary: distrusted },
  { weight: 30, arbitrary: misshapen },
  { weight: 1, arbitrary: fc.constant<EnvelopeCase>({ kind: "padded" }) },
);

/** @param capBytes what the source accepts at most */
export function answerOf(c: EnvelopeCase, rows: readonly unknown[], capBytes: number): WireAnswer {
  const honest = envelope(rows);
  const body = Buffer.from(JSON.stringify(honest));
  switch (c.kind) {
    case "bytes":
      return { headers: JSON_TYPE, body: Buffer.from(c.bytes) };
    case "text":
      return { headers: JSON_TYPE, body: Buffer.from(c.text) };
    case "json":
      return jsonAnswer(c.json);
    case "truncated":
      return { headers: JSON_TYPE, body: body.subarray(0, Math.floor(c.share * body.length)) };
    case "corrupted": {
      const at = Math.floor(c.share * body.length);
      const parts = [body.subarray(0, at), Buffer.of(c.byte), body.subarray(c.insert ? at : at + 1)];
      return { headers: JSON_TYPE, body: Buffer.concat(parts) };
    }
    case "http":
      return { status: c.status, headers: JSON_TYPE, body };
    case "type":
      return { headers: { "content-type": c.type }, body };
    case "gzip":
      return {
        headers: { ...JSON_TYPE, "content-encoding": "gzip" },
        body: c.cut % 2 === 0 ? body : gzipSync(body).subarray(0, -c.cut),
      };
    case "padded":
      return { headers: JSON_TYPE, body: Buffer.concat([body, Buffer.alloc(capBytes, " ")]) };
    case "with":
      return jsonAnswer({ ...honest, ...c.fields });
    case "data":
      return jsonAnswer({ ...honest, data: c.data });
    case "result_type":
      return jsonAnswer({ ...honest, data: { resultType: c.type, result: rows } });
    case "wrapped":
      return { headers: JSON_TYPE, body: Buffer.from(wrapped(c.by, honest)) };
  }
}

function wrapped(by: "array" | "data" | "twice" | "string", honest: unknown): string {
  const text = JSON.stringify(honest);
  if (by === "twice") return text + text;
  return JSON.stringify(
    by === "array" ? [honest] : by === "data" ? { status: "success", data: honest } : text,
  );
}
