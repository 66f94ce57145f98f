import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { waitFor } from "../../../test/setup/ports.ts";
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

test.each(["json", "pretty"] as const)(
  "a foreign text steers no terminal and hides nothing: %s",
  (format) => {
    const { lines, stream } = capture();
    const { logger } = openLog({ job: "j", stream, format });
    const foreign = "a\u202eb\u2066c\u200bd\u2028e\u009bf\u{e0041}g\u001b[2Jh\ni";
    logger.info({ alert: foreign }, `alert ${foreign}`);
    expect(lines.join("")).not.toMatch(/[\p{Cf}\p{Zl}\p{Zp}\u007f-\u009f]/u);
    if (format === "json") expect(JSON.parse(lines[0] ?? "")).toMatchObject({ alert: foreign });
  },
);

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

describe("a log file with a limit", () => {
  const file = () => join(dir, "app.log");
  const text = (name = file()) => readFileSync(name, "utf8");
  const line = (n: number) => `${String(n).padStart(9, "0")}\n`;

  test("is put aside when the next line would pass the limit, and only one such file is kept", () => {
    const sink = DescriptorSink.onFile(file(), { maxBytes: 30 });
    for (let n = 1; n <= 3; n++) sink.write(line(n));
    expect(existsSync(`${file()}.1`)).toBe(false);
    sink.write(line(4));
    expect([text(`${file()}.1`), text()]).toEqual([line(1) + line(2) + line(3), line(4)]);
    for (let n = 5; n <= 7; n++) sink.write(line(n));
    expect([text(`${file()}.1`), text()]).toEqual([line(4) + line(5) + line(6), line(7)]);
    expect(readdirSync(dir).sort()).toEqual(["app.log", "app.log.1"]);
    expect(sink.dropped).toBe(0);
    sink.close();
  });

  test("counts what was there before, and a single line may be longer than the limit", () => {
    writeFileSync(file(), line(1) + line(2));
    const sink = DescriptorSink.onFile(file(), { maxBytes: 25 });
    sink.write(line(3));
    expect([text(`${file()}.1`), text()]).toEqual([line(1) + line(2), line(3)]);
    sink.write(`${"x".repeat(99)}\n`);
    expect(text()).toHaveLength(100);
    expect(sink.dropped).toBe(0);
    sink.close();
  });

  test("a last line without an end is ended before the next one", () => {
    writeFileSync(file(), `${line(1)}00000`);
    const sink = DescriptorSink.onFile(file());
    sink.write(line(2));
    sink.write(line(3));
    expect(text()).toBe(`${line(1)}00000\n${line(2)}${line(3)}`);
    sink.close();
  });

  test("one that cannot be put aside stops at twice its limit, and goes on when it can be", () => {
    // A folder in the place of FILE.1 refuses the rename, whoever asks.
    mkdirSync(`${file()}.1`);
    const sink = DescriptorSink.onFile(file(), { maxBytes: 30 });
    for (let n = 1; n <= 10; n++) sink.write(line(n));
    expect(text()).toHaveLength(60);
    expect(sink.dropped).toBe(4);
    rmSync(`${file()}.1`, { recursive: true });
    sink.write(line(11));
    expect(text()).toBe(line(11));
    expect(text(`${file()}.1`)).toHaveLength(60);
    sink.close();
  });

  test("a file that somebody else moved is left where it is", () => {
    const sink = DescriptorSink.onFile(file(), { maxBytes: 30 });
    for (let n = 1; n <= 3; n++) sink.write(line(n));
    renameSync(file(), `${file()}.moved`);
    sink.write(line(4));
    expect([text(`${file()}.moved`), text()]).toEqual([line(1) + line(2) + line(3), line(4)]);
    expect(existsSync(`${file()}.1`)).toBe(false);
    sink.close();
  });

  test.each([0, 1_000])(
    "one that was moved or deleted is begun anew by itself (limit %i)",
    async (maxBytes) => {
      const sink = DescriptorSink.onFile(file(), { maxBytes });
      const begunAnew = (n: number) => {
        sink.write(line(n));
        return existsSync(file());
      };
      sink.write(line(1));
      renameSync(file(), `${file()}.moved`);
      await waitFor(() => begunAnew(2), { what: "the file under its name" });
      rmSync(file());
      await waitFor(() => begunAnew(3), { what: "the file under its name" });
      expect(text()).toBe(line(3));
      sink.close();
    },
  );

  test("one that was cut short in place has its whole limit again", async () => {
    const sink = DescriptorSink.onFile(file(), { maxBytes: 1_000 });
    for (let n = 1; n <= 90; n++) sink.write(line(n));
    truncateSync(file());
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    for (let n = 1; n <= 90; n++) sink.write(line(n));
    expect(text()).toHaveLength(900);
    expect(existsSync(`${file()}.1`)).toBe(false);
    sink.close();
  });

  test("a device is never put aside", () => {
    const sink = DescriptorSink.onFile("/dev/null", { maxBytes: 10 });
    for (let n = 1; n <= 5; n++) sink.write(line(n));
    expect(sink.dropped).toBe(0);
    sink.close();
    expect(existsSync("/dev/null.1")).toBe(false);
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
