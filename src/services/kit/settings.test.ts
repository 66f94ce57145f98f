import { renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FAILURE_WINDOW_MS, FailedAttempts, MAX_FAILURES } from "./attempts.ts";
import { readServiceSettings } from "./env.ts";
import { temporaryDirectory } from "./test-harness.ts";
import { fileTokens, staticTokens } from "./tokens.ts";

let dir: ReturnType<typeof temporaryDirectory>;
beforeEach(() => {
  dir = temporaryDirectory();
});
afterEach(() => dir.remove());

describe("readServiceSettings", () => {
  const read = (env: Record<string, string>, flags: Record<string, string> = {}) =>
    readServiceSettings({ env, flags, defaultPort: 8000 });

  test("defaults of a development machine", () => {
    expect(read({})).toEqual({
      host: "0.0.0.0",
      port: 8000,
      tokens: { kind: "given", tokens: ["secret"] },
      dataDir: "./data",
      logFile: undefined,
      logFileMaxBytes: 50_000_000,
      logLevel: "info",
      logFormat: "json",
      faultInjection: true,
      region: undefined,
    });
  });

  test("a flag wins over the environment", () => {
    expect(read({ PORT: "9000" })).toMatchObject({ host: "0.0.0.0", port: 9000 });
    const flag = (value: string) => read({ PORT: "9000" }, { "web.listen-address": value });
    expect(flag("127.0.0.1:0")).toMatchObject({ host: "127.0.0.1", port: 0 });
    expect(flag(":8123")).toMatchObject({ host: "0.0.0.0", port: 8123 });
    expect(flag("[::1]:8123")).toMatchObject({ host: "::1", port: 8123 });
  });

  test("production switches fault injection off and wants a token of its own", () => {
    expect(read({ NODE_ENV: "production", ADMIN_TOKEN: "t0p" }).faultInjection).toBe(false);
    expect(read({ NODE_ENV: "production", ADMIN_TOKEN: "t0p", FAULT_INJECTION: "1" }).faultInjection).toBe(
      true,
    );
    expect(read({ FAULT_INJECTION: "0" }).faultInjection).toBe(false);
    expect(() => read({ NODE_ENV: "production" })).toThrow("ADMIN_TOKEN is not set");
    expect(() => read({ NODE_ENV: "production", ADMIN_TOKEN: "secret" })).toThrow("development default");
  });

  test.each([
    [{ PORT: "80000" }, {}, 'PORT has port "80000"'],
    [{ PORT: "eighty" }, {}, "PORT has port"],
    [{ PORT: "-1" }, {}, "0 <= port <= 65535"],
    [{ LOG_FILE_MAX_BYTES: "10 MB" }, {}, 'LOG_FILE_MAX_BYTES is "10 MB": expected a whole number of bytes'],
    [{ FAULT_INJECTION: "maybe" }, {}, 'FAULT_INJECTION is "maybe": expected 1 or 0'],
    [{ HELIUS_REGION: "Mars" }, {}, "HELIUS_REGION"],
    [{ ADMIN_TOKEN: "a", ADMIN_TOKEN_FILE: "b" }, {}, "both set"],
    [{}, { "web.listen-address": "8000" }, "--web.listen-address"],
    [{}, { "web.listen-address": "host:port" }, "--web.listen-address has port"],
    [{}, { "log.level": "loud" }, "--log.level"],
    [{}, { "log.format": "xml" }, "expected one of json, pretty"],
  ])("%j %j is refused by name", (env, flags, message) => {
    expect(() => read(env as Record<string, string>, flags as Record<string, string>)).toThrow(message);
  });
});

describe("tokens", () => {
  test("one or two, compared whole", () => {
    const tokens = staticTokens(["one", "two"]);
    expect(["one", "two", "on", "one ", "", undefined].map((token) => tokens.verify(token))).toEqual([
      true,
      true,
      false,
      false,
      false,
      false,
    ]);
    for (const bad of [[], [""], ["a", "b", "c"]])
      expect(() => staticTokens(bad)).toThrow("one or two tokens");
  });

  test("a file is read again when it changes; a bad change keeps the last tokens and is told once", () => {
    const file = join(dir.path, "token");
    writeFileSync(file, "old\n");
    const problems: string[] = [];
    const tokens = fileTokens({ file, onProblem: (reason) => void problems.push(reason) });
    expect(tokens.verify("old")).toBe(true);
    writeFileSync(file, "old\r\nnew\n");
    expect(["old", "new"].map((token) => tokens.verify(token))).toEqual([true, true]);
    writeFileSync(`${file}.next`, "new\n");
    renameSync(`${file}.next`, file);
    expect(["old", "new"].map((token) => tokens.verify(token))).toEqual([false, true]);
    rmSync(file);
    expect([tokens.verify("new"), tokens.verify("new")]).toEqual([true, true]);
    expect(problems).toHaveLength(1);
    writeFileSync(file, "latest");
    expect(tokens.verify("latest")).toBe(true);
  });

  test("a file that is bad at the start is refused by name", () => {
    expect(() => fileTokens({ file: join(dir.path, "none") })).toThrow("ADMIN_TOKEN_FILE");
    writeFileSync(join(dir.path, "empty"), "\n\n");
    expect(() => fileTokens({ file: join(dir.path, "empty") })).toThrow("expected one or two tokens");
  });
});

describe("FailedAttempts", () => {
  test("an address waits after too many failures, until its window is over; others do not", () => {
    const attempts = new FailedAttempts();
    for (let count = 0; count < MAX_FAILURES; count += 1) {
      expect(attempts.waitSeconds("a", 1_000)).toBe(0);
      attempts.add("a", 1_000);
    }
    expect(attempts.waitSeconds("a", 1_000)).toBe(60);
    expect(attempts.waitSeconds("a", 1_000 + FAILURE_WINDOW_MS - 1)).toBe(1);
    expect(attempts.waitSeconds("b", 1_000)).toBe(0);
    expect(attempts.waitSeconds("a", 1_000 + FAILURE_WINDOW_MS)).toBe(0);
  });

  test("addresses are bounded", () => {
    const attempts = new FailedAttempts();
    for (let count = 0; count < MAX_FAILURES; count += 1) attempts.add("first", 0);
    for (let index = 0; index < 1_000; index += 1) attempts.add(`other-${index}`, 0);
    expect(attempts.waitSeconds("first", 0)).toBe(0);
  });
});
