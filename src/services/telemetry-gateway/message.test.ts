import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  checkTelemetry,
  MAX_PAYLOAD_BYTES,
  MalformedMessageError,
  messageKey,
  parseTelemetry,
  parseTopic,
  splitKey,
} from "./message.ts";

const good = { id: "a1", ts: 1_700_000_000_000, metrics: { temperature: 21.5 } };
const bytes = (value: unknown) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value));

describe("topics", () => {
  it("of the scheme lead to region and device", () => {
    expect(parseTopic("helius/sa-east-1/pump-7/telemetry")).toEqual({
      region: "sa-east-1",
      device: "pump-7",
    });
  });

  it.each([
    ["helius/sa-east-1/pump-7", /expected helius/],
    ["helius/sa-east-1/pump-7/telemetry/x", /expected helius/],
    ["other/sa-east-1/pump-7/telemetry", /expected helius/],
    ["helius/sa-east-1/pump-7/state", /expected helius/],
    ["", /expected helius/],
    ["helius/mars-1/pump-7/telemetry", /region "mars-1"/],
    ["helius/toString/pump-7/telemetry", /region "toString"/],
    ["helius/sa-east-1//telemetry", /device ""/],
    ["helius/sa-east-1/a b/telemetry", /device "a b"/],
    ["helius/sa-east-1/a\nb/telemetry", /device/],
    [`helius/sa-east-1/${"d".repeat(129)}/telemetry`, /device/],
  ])("refuses %j", (topic, message) => {
    expect(() => parseTopic(topic)).toThrow(message);
    expect(() => parseTopic(topic)).toThrow(MalformedMessageError);
  });
});

describe("payloads", () => {
  it("are taken when they are right", () => {
    expect(parseTelemetry(bytes(good))).toEqual(good);
    expect(checkTelemetry({ ...good, id: "é ü 温度", extra: 1 })).toMatchObject({ id: "é ü 温度" });
  });

  it.each([
    ["", /JSON in UTF-8/],
    ["{", /JSON in UTF-8/],
    ["[]", /an object/],
    ["null", /an object/],
    ["7", /an object/],
    [{ ...good, id: "" }, /^id/],
    [{ ...good, id: 7 }, /^id/],
    [{ ...good, id: "a\nb" }, /^id/],
    [{ ...good, id: "a\u2028b" }, /^id/],
    [{ ...good, id: "x".repeat(129) }, /^id/],
    [{ ...good, ts: "now" }, /^ts/],
    [{ ...good, ts: -1 }, /^ts/],
    ['{"id":"a","ts":1e999,"metrics":{"t":1}}', /^ts/],
    [{ ...good, metrics: undefined }, /^metrics \(missing\)/],
    [{ ...good, metrics: {} }, /^metrics has 0/],
    [{ ...good, metrics: [1] }, /^metrics/],
    [{ ...good, metrics: { t: "1" } }, /^metrics\.t/],
    [{ ...good, metrics: { t: null } }, /^metrics\.t/],
    ['{"id":"a","ts":1,"metrics":{"t":1e999}}', /^metrics\.t/],
    [{ ...good, metrics: { "": 1 } }, /name of 1 to 128/],
    [
      { ...good, metrics: Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`m${i}`, i])) },
      /has 101/,
    ],
  ])("refuse %j", (value, message) => {
    expect(() => parseTelemetry(bytes(value))).toThrow(message);
  });

  it("refuse bytes that are not UTF-8 and payloads of a megabyte", () => {
    expect(() => parseTelemetry(Buffer.from([0x7b, 0xff, 0x7d]))).toThrow(/UTF-8/);
    expect(() => parseTelemetry(Buffer.alloc(1_048_576, 0x20))).toThrow(`at most ${MAX_PAYLOAD_BYTES}`);
  });

  it("never throw anything else, whatever comes", () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
        try {
          checkTelemetry(parseTelemetry(bytes(text)));
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedMessageError);
          expect((error as Error).message.length).toBeLessThan(300);
        }
      }),
    );
  });
});

describe("keys", () => {
  it("come apart into what they were made of", () => {
    expect(splitKey(messageKey("d:1", "id 7"))).toEqual({ device: "d:1", id: "id 7" });
  });
});
