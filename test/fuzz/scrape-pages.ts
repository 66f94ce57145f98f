import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { isHonestNumber } from "./absurd-json.ts";
import type { WireAnswer } from "./wire.ts";

const METRIC = "process_resident_memory_bytes";
const TEXT_TYPE = { "content-type": "text/plain; version=0.0.4" };

export function honestPage(value: number): string {
  return `# HELP ${METRIC} Resident memory.\n# TYPE ${METRIC} gauge\nother{a="b"} 1\n${METRIC} ${value}\n`;
}

/** A page that nothing may be read from, in place of an honest one. */
export type PageCase =
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "truncated"; readonly share: number }
  | { readonly kind: "not_utf8"; readonly share: number; readonly byte: number }
  | { readonly kind: "value"; readonly text: string }
  | { readonly kind: "timestamp"; readonly shiftMs: number }
  | { readonly kind: "twice"; readonly factor: number }
  | { readonly kind: "line"; readonly line: string; readonly first: boolean }
  | { readonly kind: "name"; readonly suffix: string }
  | { readonly kind: "http"; readonly status: number }
  | { readonly kind: "gzip"; readonly cut: number }
  | { readonly kind: "padded" };

const share = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

/** What stands where a number should, in one line. */
const absurdText = fc
  .oneof(
    fc.constantFrom(
      "NaN",
      "nan",
      "+Inf",
      "-Inf",
      "inf",
      "Infinity",
      "",
      "1e999",
      "0x1388",
      "null",
      "true",
      "1e16",
      "1e300",
    ),
    fc.integer({ min: 1, max: 1e9 }).map((n) => `-${n}`),
    fc
      .integer({ min: 301, max: 99_999 })
      .chain((n) => fc.constantFrom(`${n}ms`, `${n},5`, `'${n}'`, `${n} x`, `${n} 1 1`, `{${n}}`)),
    fc.string({ unit: "grapheme", maxLength: 20 }),
  )
  .map((text) => text.replaceAll(/[\n\r]/g, "~"))
  .filter((text) => !isHonestNumber(text.trim().split(/[ \t]+/)[0]) || /[ \t]\S/.test(text.trim()));

export const pageCase: fc.Arbitrary<PageCase> = fc.oneof(
  fc.uint8Array({ maxLength: 300 }).map((bytes): PageCase => ({ kind: "bytes", bytes })),
  fc.string({ unit: "binary", maxLength: 100 }).map((text): PageCase => ({ kind: "text", text })),
  share.map((s): PageCase => ({ kind: "truncated", share: s })),
  fc
    .record({ share, byte: fc.constantFrom(0x80, 0xbf, 0xc0, 0xf5, 0xff) })
    .map((c): PageCase => ({ kind: "not_utf8", ...c })),
  { weight: 4, arbitrary: absurdText.map((text): PageCase => ({ kind: "value", text })) },
  fc
    .oneof(
      fc.constantFrom(-3_600_000, 3_600_000, 1e15, -1e15),
      fc.integer({ min: 6000, max: 1e8 }),
      fc.integer({ min: -1e8, max: -61_000 }),
    )
    .map((shiftMs): PageCase => ({ kind: "timestamp", shiftMs })),
  fc.constantFrom(1, 0, 2, -1).map((factor): PageCase => ({ kind: "twice", factor })),
  fc
    .record({
      line: fc.constantFrom(
        "<html><body>login</body></html>",
        "9metric 1",
        'other{a="b" 1',
        'other{a="b"',
        "other{a=b} 1",
        "other 1 2 3",
        "other one",
        "other",
        "other 1 1.5",
        `# TYPE ${METRIC} banana`,
        `# TYPE ${METRIC} gauge gauge`,
        `${METRIC}{a="1",a="2"} 1`,
        "{} 1",
        "ünïcode 1",
      ),
      first: fc.boolean(),
    })
    .map((c): PageCase => ({ kind: "line", ...c })),
  fc.constantFrom("x", "_total", ":", "{").map((suffix): PageCase => ({ kind: "name", suffix })),
  fc
    .constantFrom(201, 203, 204, 206, 301, 302, 307, 400, 401, 403, 404, 429, 500, 502, 503)
    .map((status): PageCase => ({ kind: "http", status })),
  fc.integer({ min: 1, max: 12 }).map((cut): PageCase => ({ kind: "gzip", cut })),
  { weight: 1, arbitrary: fc.constant<PageCase>({ kind: "padded" }) },
);

export function pageOf(
  c: PageCase,
  { value, nowMs, capBytes }: { value: number; nowMs: number; capBytes: number },
): WireAnswer {
  const honest = honestPage(value);
  const body = Buffer.from(honest);
  const page = (text: string | Buffer): WireAnswer => ({ headers: TEXT_TYPE, body: Buffer.from(text) });
  switch (c.kind) {
    case "bytes":
      return page(Buffer.from(c.bytes));
    case "text":
      return page(c.text);
    case "truncated":
      return page(body.subarray(0, Math.floor(c.share * body.length)));
    case "not_utf8": {
      const at = Math.floor(c.share * body.length);
      return page(Buffer.concat([body.subarray(0, at), Buffer.of(c.byte), body.subarray(at)]));
    }
    case "value":
      return page(honest.replace(/\S+\n$/, `${c.text.replaceAll("$", "$$$$")}\n`));
    case "timestamp":
      return page(honest.replace(/\n$/, ` ${Math.round(nowMs + c.shiftMs)}\n`));
    case "twice":
      return page(`${honest}${METRIC} ${value * c.factor}\n`);
    case "line":
      return page(c.first ? `${c.line}\n${honest}` : `${honest}${c.line}\n`);
    case "name":
      return page(honest.replaceAll(METRIC, `${METRIC}${c.suffix}`));
    case "http":
      return { ...page(body), status: c.status };
    case "gzip":
      return {
        headers: { ...TEXT_TYPE, "content-encoding": "gzip" },
        body: c.cut % 2 === 0 ? body : gzipSync(body).subarray(0, -c.cut),
      };
    case "padded":
      return page(Buffer.concat([body, Buffer.alloc(capBytes, "#"), Buffer.from("\n")]));
  }
}
