import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readBuildInfo } from "./build-info.ts";
import { DescriptorSink } from "./line-sink.ts";
import { openLog } from "./logger.ts";
import { createRegistry, registerBuildInfo, registerDroppedLines } from "./registry.ts";

let dir = "";
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "helius-telemetry-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function capture() {
  const lines: string[] = [];
  return { lines, stream: { write: (line: string) => void lines.push(line) } };
}

describe("openLog", () => {
  test("writes flat JSON with job, level name, ts, unix_ts and message", () => {
    const { lines, stream } = capture();
    const { logger } = openLog({ job: "product-api", stream, now: () => 1_700_000_000_999 });
    logger.info({ mode: "auto", forecast: 6500 }, "mitigation executed");
    expect(lines).toHaveLength(1);
    expect(lines[0]?.endsWith("\n")).toBe(true);
    expect(JSON.parse(lines[0] ?? "")).toEqual({
      level: "info",
      ts: "2023-11-14T22:13:20.999Z",
      unix_ts: 1_700_000_000,
      job: "product-api",
      mode: "auto",
      forecast: 6500,
      message: "mitigation executed",
    });
  });

  test("flattens an error, given either way", () => {
    const { lines, stream } = capture();
    const { logger } = openLog({ job: "j", stream });
    logger.error({ err: new TypeError("no such key"), step: 2 }, "failed");
    logger.error(new RangeError("too far"), "failed again");
    const [first, second] = lines.map((line) => JSON.parse(line));
    expect(first).toMatchObject({
      error: "no such key",
      error_type: "TypeError",
      step: 2,
      message: "failed",
    });
    expect(first.error_stack).toContain("TypeError: no such key");
    expect(second).toMatchObject({ error: "too far", error_type: "RangeError", message: "failed again" });
    for (const line of [first, second]) {
      expect(Object.values(line).every((value) => typeof value !== "object")).toBe(true);
    }
  });

  test("honours the level", () => {
    const { lines, stream } = capture();
    const { logger } = openLog({ job: "j", stream, level: "warn" });
    logger.info("quiet");
    logger.warn("loud");
    expect(lines.map((line) => JSON.parse(line).message)).toEqual(["loud"]);
  });

  test("appends to the file, creates its directory, and the line is there at once", () => {
    const file = join(dir, "deep", "er", "app.log");
    const { stream, lines } = capture();
    const first = openLog({ job: "j", stream, file });
    first.logger.info("one");
    expect(readFileSync(file, "utf8")).toBe(lines[0]);
    first.close();
    const second = openLog({ job: "j", stream, file });
    second.logger.info("two");
    second.close();
    const messages = readFileSync(file, "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line).message);
    expect(messages).toEqual(["one", "two"]);
  });

  test("the terminal may be pretty while the file stays JSON", () => {
    const file = join(dir, "app.log");
    const { stream, lines } = capture();
    const log = openLog({ job: "j", stream, file, format: "pretty", now: () => 1_700_000_000_000 });
    log.logger.warn({ port: 8000 }, "hello");
    log.close();
    expect(lines.join("")).toContain("WARN");
    expect(lines.join("")).toContain("hello");
    expect(lines.join("")).not.toContain("\u001b[");
    expect(JSON.parse(readFileSync(file, "utf8"))).toMatchObject({ message: "hello", port: 8000 });
  });

  test("reopen follows a rotation", () => {
    const file = join(dir, "app.log");
    const log = openLog({ job: "j", stream: capture().stream, file });
    log.logger.info("before");
    renameSync(file, `${file}.1`);
    log.logger.info("still the old file");
    log.reopen();
    log.logger.info("after");
    log.close();
    expect(readFileSync(`${file}.1`, "utf8").trimEnd().split("\n")).toHaveLength(2);
    expect(JSON.parse(readFileSync(file, "utf8")).message).toBe("after");
  });

  test("a file that cannot be opened is named", () => {
    writeFileSync(join(dir, "plain"), "");
    const file = join(dir, "plain", "app.log");
    expect(() => openLog({ job: "j", file })).toThrow(`log file ${file}: cannot be opened for appending`);
  });
});

describe("DescriptorSink", () => {
  test("a full device drops and counts, and never throws", () => {
    const sink = DescriptorSink.onFile("/dev/full");
    sink.write("one\n");
    sink.write("two\n");
    expect(sink.dropped).toBe(2);
    sink.close();
    sink.write("three\n");
    expect(sink.dropped).toBe(3);
  });
});

describe("registry", () => {
  test("is its own, has process metrics and build info", async () => {
    const registry = createRegistry({ labels: { service: "product-api" } });
    registerBuildInfo({ registry, name: "predict_build_info", build: { version: "1.2.3", revision: "abc" } });
    const text = await registry.metrics();
    expect(text).toContain("process_resident_memory_bytes{");
    expect(text).toMatch(/predict_build_info\{version="1\.2\.3",revision="abc",service="product-api"\} 1/);
    const other = createRegistry({ processMetrics: false });
    expect((await other.metrics()).trim()).toBe("");
  });

  test("dropped lines are read at every scrape", async () => {
    const registry = createRegistry({ processMetrics: false });
    let dropped = 3;
    registerDroppedLines(registry, { droppedLines: () => dropped });
    expect(await registry.metrics()).toContain("log_lines_dropped_total 3");
    dropped = 5;
    expect(await registry.metrics()).toContain("log_lines_dropped_total 5");
  });

  test("build info comes from package.json and the environment", () => {
    expect(readBuildInfo({ HELIUS_REVISION: "deadbeef" })).toMatchObject({ revision: "deadbeef" });
    expect(readBuildInfo().version).toMatch(/^\d+\.\d+\.\d+/);
    expect(readBuildInfo({ HELIUS_REVISION: "" }).revision).toBe("unknown");
  });
});
