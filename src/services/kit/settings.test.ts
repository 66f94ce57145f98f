import { describe, expect, test } from "vitest";
import { readServiceSettings } from "./env.ts";

describe("readServiceSettings", () => {
  const read = (env: Record<string, string>, flags: Record<string, string> = {}) =>
    readServiceSettings({ env, flags, defaultPort: 8000 });

  test("defaults of a development machine", () => {
    expect(read({})).toEqual({
      host: "0.0.0.0",
      port: 8000,
      adminReach: { kind: "local" },
      adminHosts: [],
      production: false,
      exposed: false,
      tokens: { kind: "given", token: "secret" },
      dataDir: "./data",
      logFile: undefined,
      logFileMaxBytes: 50_000_000,
      logLevel: "info",
      logFormat: "json",
      faultInjection: true,
      region: undefined,
    });
  });

  test("further names of the admin plane", () => {
    expect(read({ ADMIN_ALLOWED_HOSTS: "a.example, *.b.example," }).adminHosts).toEqual([
      "a.example",
      "*.b.example",
    ]);
  });

  test("a flag wins over the environment", () => {
    expect(read({ PORT: "9000" })).toMatchObject({ host: "0.0.0.0", port: 9000 });
    const flag = (value: string) => read({ PORT: "9000" }, { "web.listen-address": value });
    expect(flag("127.0.0.1:0")).toMatchObject({ host: "127.0.0.1", port: 0 });
    expect(flag(":8123")).toMatchObject({ host: "0.0.0.0", port: 8123 });
    expect(flag("[::1]:8123")).toMatchObject({ host: "::1", port: 8123 });
  });

  test("production switches fault injection off and wants a token of its own", () => {
    const production = { NODE_ENV: "production", ADMIN_TOKEN: "a-token-of-its-own" };
    expect(read(production).faultInjection).toBe(false);
    expect(read({ ...production, FAULT_INJECTION: "1" }).faultInjection).toBe(true);
    expect(read({ FAULT_INJECTION: "0" }).faultInjection).toBe(false);
    expect(() => read({ NODE_ENV: "production" })).toThrow("ADMIN_TOKEN is not set");
    expect(() => read({ NODE_ENV: "production", ADMIN_TOKEN: "secret" })).toThrow("development default");
    expect(() => read({ ...production, ADMIN_TOKEN: "t0p" })).toThrow("a token of 3 characters is refused");
  });

  test("where other machines reach the admin plane, a token that everybody knows needs a word that they may", () => {
    const open = { ADMIN_LISTEN_ADDRESS: "0.0.0.0" };
    expect(() => read(open)).toThrow(/ADMIN_TOKEN: a token that everybody knows .*TRUSTED_NETWORK=1/);
    expect(() => read({ ADMIN_LISTEN_ADDRESS: ":9000", ADMIN_TOKEN: "changeme" })).toThrow("everybody knows");
    expect(read({ ...open, ADMIN_TOKEN: "own" })).toMatchObject({ exposed: true });
    expect(read({ ...open, TRUSTED_NETWORK: "1" })).toMatchObject({ exposed: false });
    expect(read({ ADMIN_LISTEN_ADDRESS: "127.0.0.1:9000" })).toMatchObject({ exposed: false });
    expect(() => read({ ...open, TRUSTED_NETWORK: "1", NODE_ENV: "production" })).toThrow(
      "development default",
    );
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

describe("where the admin plane is reached", () => {
  const reach = (address: string, listen?: string) =>
    readServiceSettings({
      env: { ADMIN_LISTEN_ADDRESS: address, ADMIN_TOKEN: "own" },
      flags: listen === undefined ? {} : { "web.listen-address": listen },
      defaultPort: 8000,
    }).adminReach;

  test.each([
    ["", undefined, { kind: "local" }],
    ["127.0.0.1:8000", undefined, { kind: "local" }],
    ["[::1]:8000", undefined, { kind: "local" }],
    ["127.0.0.1", "0.0.0.0:0", { kind: "local" }],
    ["0.0.0.0", undefined, { kind: "public" }],
    ["0.0.0.0", "127.0.0.1:0", { kind: "public" }],
    ["[::]", ":8123", { kind: "public" }],
    ["0.0.0.0:8000", undefined, { kind: "public" }],
    [":8000", "10.0.0.5:8000", { kind: "public" }],
    ["10.0.0.5:8000", "10.0.0.5:8000", { kind: "public" }],
    ["127.0.0.1:9000", undefined, { kind: "own", host: "127.0.0.1", port: 9000 }],
    [":9000", undefined, { kind: "own", host: "0.0.0.0", port: 9000 }],
    ["127.0.0.1:0", ":0", { kind: "own", host: "127.0.0.1", port: 0 }],
  ])("%j beside %j: %j", (address, listen, expected) => {
    expect(reach(address, listen)).toEqual(expected);
  });

  test.each([
    ["10.0.0.5:8000", "expected the host 0.0.0.0, 0.0.0.0 or 127.0.0.1, or HOST:PORT with another port"],
    ["8000", "expected HOST:PORT or :PORT"],
    ["a:b", "expected a whole number"],
  ])("%j is refused by name", (address, message) => {
    expect(() => reach(address)).toThrow("ADMIN_LISTEN_ADDRESS");
    expect(() => reach(address)).toThrow(message);
  });
});
