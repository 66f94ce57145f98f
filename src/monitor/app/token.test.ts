import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { openLog } from "../../common/telemetry/logger.ts";
import { ConfigError } from "../config/errors.ts";
import { adminTokens, webTokens } from "./token.ts";

const folder = mkdtempSync(join(tmpdir(), "helius-token-"));
afterAll(() => rmSync(folder, { recursive: true }));

let written = 0;
/** A token file; every writing has a time of its own. */
function file(name: string, text: string, mode = 0o600): string {
  const path = join(folder, name);
  writeFileSync(path, text, { mode });
  written += 1;
  utimesSync(path, 1_700_000_000 + written, 1_700_000_000 + written);
  return path;
}

function open(admin: { token: string; tokenFile: string | undefined }, env: Record<string, string> = {}) {
  const lines: Record<string, unknown>[] = [];
  const { logger } = openLog({ job: "test", stream: { write: (line) => void lines.push(JSON.parse(line)) } });
  return { tokens: adminTokens({ admin, env, logger }), lines };
}

it("without a file gives the configured token, with one its tokens", () => {
  expect(open({ token: "given", tokenFile: undefined }).tokens.all()).toEqual(["given"]);
  const tokenFile = file("two", "\uFEFF one \r\nold\n");
  expect(open({ token: "given", tokenFile }).tokens.all()).toEqual(["one", "old"]);
});

it("reads the file again when it changes, and says when that cannot be used", () => {
  const tokenFile = file("rotated", "one\n");
  const { tokens, lines } = open({ token: "", tokenFile });
  expect(tokens.all()).toEqual(["one"]);
  file("rotated", "two\n");
  expect(tokens.all()).toEqual(["two"]);
  file("rotated", "\n");
  expect([tokens.all(), tokens.all()]).toEqual([["two"], ["two"]]);
  expect(lines).toMatchObject([
    { level: "error", message: "admin token file is bad, keeping the last tokens" },
  ]);
});

it("warns of a file that is open to others", () => {
  const { lines } = open({ token: "", tokenFile: file("open", "one\n", 0o644) });
  expect(lines).toMatchObject([{ level: "warn", message: "admin token file is open to others" }]);
});

it("at the start refuses what cannot be used, naming the file or the key", () => {
  const refusal = (admin: { token: string; tokenFile: string | undefined }, env = {}) => {
    try {
      open(admin, env);
    } catch (error) {
      expect(error).toBeInstanceOf(ConfigError);
      return (error as Error).message;
    }
    return undefined;
  };
  const missing = join(folder, "missing");
  expect(refusal({ token: "x", tokenFile: missing })).toBe(
    `${missing}: admin.token_file cannot be used: ${missing} cannot be read: ENOENT`,
  );
  const empty = file("empty", "  \n");
  expect(refusal({ token: "x", tokenFile: empty })).toContain("admin.token_file cannot be used");
  expect(refusal({ token: "a\nb", tokenFile: undefined })).toContain(
    "admin.token cannot be used: expected tokens",
  );
  const development = file("development", "secret\n");
  expect(refusal({ token: "x", tokenFile: development }, { NODE_ENV: "production" })).toContain(
    "development token",
  );
  expect(refusal({ token: "x", tokenFile: development })).toBeUndefined();
});

it("who may tell the monitor something has the admin token, or a token of their own", () => {
  const { tokens: admin } = open({ token: "given", tokenFile: undefined });
  const lines: Record<string, unknown>[] = [];
  const { logger } = openLog({ job: "test", stream: { write: (line) => void lines.push(JSON.parse(line)) } });
  const own = (web: { token?: string; tokenFile?: string }, env: Record<string, string> = {}) =>
    webTokens({
      web: { token: web.token, tokenFile: web.tokenFile },
      adminTokens: admin,
      env,
      logger,
    });
  expect(own({})).toBe(admin);
  expect(own({ token: "other" }).all()).toEqual(["other"]);
  const tokenFile = file("web", "new\nold\n");
  const rotated = own({ token: "other", tokenFile });
  expect(rotated.all()).toEqual(["new", "old"]);
  file("web", "");
  expect(rotated.all()).toEqual(["new", "old"]);
  expect(lines).toMatchObject([
    { level: "error", message: "web token file is bad, keeping the last tokens" },
  ]);
  expect(() => own({ token: "a\nb" })).toThrow(/^settings: web\.token cannot be used: expected tokens/);
  expect(() => own({ tokenFile: join(folder, "missing") })).toThrow(
    /web\.token_file cannot be used: .*ENOENT$/,
  );
  expect(() => own({ token: "secret" }, { NODE_ENV: "production" })).toThrow(/development token/);
});
