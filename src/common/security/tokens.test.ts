import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { printable } from "./text.ts";
import { createTokenSet, exposure, TokenError } from "./tokens.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "helius-tokens-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

let written = 0;
/** A token file that only its owner can read; every writing has a time of its own. */
function file(text: string, mode = 0o600): string {
  const path = join(folder, "token");
  writeFileSync(path, text);
  chmodSync(path, mode);
  written += 1;
  utimesSync(path, 1_700_000_000 + written, 1_700_000_000 + written);
  return path;
}

function fromFile(path: string, production = false) {
  const problems: string[] = [];
  const warnings: string[] = [];
  const tokens = createTokenSet({
    file: path,
    production,
    onProblem: (reason) => void problems.push(reason),
    onWarning: (reason) => void warnings.push(reason),
  });
  return { tokens, problems, warnings };
}

describe("createTokenSet with a value", () => {
  test("one or two are valid, compared whole; the first is the one to present", () => {
    const tokens = createTokenSet({ value: ["one", "two"] });
    expect(["one", "two", "on", "one ", "One", "", undefined].map((t) => tokens.accepts(t))).toEqual([
      true,
      true,
      false,
      false,
      false,
      false,
      false,
    ]);
    expect([tokens.current(), tokens.all(), tokens.problem()]).toEqual(["one", ["one", "two"], undefined]);
    // A comma is a character like any other: two tokens need a file.
    expect(createTokenSet({ value: "one,two" }).accepts("one")).toBe(false);
  });

  test.each([
    [undefined, "one or two tokens"],
    ["", "one or two tokens"],
    [["a", ""], "one or two tokens"],
    [["a", "b", "c"], "one or two tokens"],
    [" padded", "printable ASCII"],
    ["two\nlines", "printable ASCII"],
    ["schlüssel", "printable ASCII"],
    ["x".repeat(1_025), "1 to 1024"],
  ])("%j is refused", (value, message) => {
    expect(() => createTokenSet({ value })).toThrow(TokenError);
    expect(() => createTokenSet({ value })).toThrow(message);
  });

  test("the development token is refused in production, and where other machines can call; a short one in production", () => {
    expect(createTokenSet({ value: "secret" }).accepts("secret")).toBe(true);
    for (const value of ["secret", "Admin", "changeme"])
      expect(() => createTokenSet({ value, exposed: true })).toThrow("everybody knows");
    expect(createTokenSet({ value: "own", exposed: true }).accepts("own")).toBe(true);
    expect(() => createTokenSet({ value: "fifteen letters", production: true })).toThrow(
      /^a token of 15 characters is refused in production: expected at least 16/,
    );
    expect(createTokenSet({ value: "sixteen letters!", production: true }).all()).toHaveLength(1);
    expect(() => createTokenSet({ value: "secret", production: true })).toThrow("development token");
    expect(() => createTokenSet({ value: ["one-of-its-own-for-it", "secret"], production: true })).toThrow(
      "development token",
    );
  });
});

describe("createTokenSet with a file", () => {
  test("reads one or two lines, and again when the file is written, replaced or swapped", () => {
    const path = file("\uFEFF old \r\n\n");
    const { tokens, problems } = fromFile(path);
    expect(tokens.all()).toEqual(["old"]);
    file("old\r\nnew\r\n");
    expect(tokens.all()).toEqual(["old", "new"]);
    expect(["old", "new"].map((t) => tokens.accepts(t))).toEqual([true, true]);
    writeFileSync(`${path}.next`, "new\n", { mode: 0o600 });
    renameSync(`${path}.next`, path);
    expect(["old", "new"].map((t) => tokens.accepts(t))).toEqual([false, true]);
    expect(tokens.current()).toBe("new");
    expect(problems).toEqual([]);
  });

  test("keeps the last good tokens while it is unusable, says why once for each change, and recovers", () => {
    const path = file("good\n");
    const { tokens, problems } = fromFile(path);
    rmSync(path);
    expect([tokens.accepts("good"), tokens.accepts("good")]).toEqual([true, true]);
    expect(problems).toEqual([`${path} cannot be read: ENOENT`]);
    expect(tokens.problem()).toBe(`${path} cannot be read: ENOENT`);
    mkdirSync(path);
    expect(tokens.current()).toBe("good");
    rmSync(path, { recursive: true });
    file("\n\n");
    expect(tokens.current()).toBe("good");
    file("a\nb\nc\n");
    expect(tokens.all()).toEqual(["good"]);
    expect(tokens.all()).toEqual(["good"]);
    expect(problems.slice(1)).toEqual([
      `${path} is not a regular file`,
      `${path}: expected one or two tokens that are not empty`,
      `${path}: expected one or two tokens that are not empty`,
    ]);
    file("later\n");
    expect([tokens.current(), tokens.problem()]).toEqual(["later", undefined]);
  });

  test("the development token is refused in production at the start and at a change", () => {
    const OWN = "an-own-token-of-24-chars";
    const path = file("secret\n");
    expect(() => fromFile(path, true)).toThrow("development token");
    file(`${OWN}\n`);
    const { tokens, problems } = fromFile(path, true);
    file(`${OWN}\nsecret\n`);
    expect([tokens.accepts(OWN), tokens.accepts("secret")]).toEqual([true, false]);
    expect(problems).toHaveLength(1);
  });

  test("warns of a file that everyone can read or write, at the start and when it becomes so", () => {
    const path = file("t", 0o644);
    const { tokens, warnings } = fromFile(path);
    expect(warnings).toEqual([
      `${path} has mode 0644, so that everyone on this machine can read or change it: expected 0600`,
    ]);
    chmodSync(path, 0o640);
    expect([tokens.accepts("t"), warnings.length]).toEqual([true, 1]);
    chmodSync(path, 0o602);
    expect([tokens.accepts("t"), warnings.length]).toEqual([true, 2]);
  });

  test("takes a container's secret as the engine hands it over, readable for everyone in there", () => {
    expect(exposure("/run/secrets/admin_token", 0o100644)).toBeUndefined();
    expect(exposure("/run/secrets-of-others/admin_token", 0o100644)).toContain("has mode 0644");
    expect(exposure("/etc/helius/admin_token", 0o100640)).toBeUndefined();
  });

  test.each([
    ["missing", () => join(folder, "none"), "cannot be read: ENOENT"],
    ["a folder", () => folder, "is not a regular file"],
    ["a device", () => "/dev/zero", "is not a regular file"],
    ["huge", () => file("x".repeat(8_193)), "is larger than 8192 bytes"],
    ["empty", () => file(" \n"), "expected one or two tokens"],
  ])("%s at the start is refused, naming the file", (_name, make, message) => {
    const path = make();
    expect(() => fromFile(path)).toThrow(TokenError);
    expect(() => fromFile(path)).toThrow(path);
    expect(() => fromFile(path)).toThrow(message);
  });
});

test("printable escapes what could end a line or steer a terminal, and cuts", () => {
  expect(printable("plain text, ünïcode 😀", 100)).toBe("plain text, ünïcode 😀");
  expect(printable("a\nb\r\u001b[2J\u009b\u2028\u202e\ud800", 100)).toBe(
    "a\\u{a}b\\u{d}\\u{1b}[2J\\u{9b}\\u{2028}\\u{202e}\\u{d800}",
  );
  expect(printable("abcdef", 3)).toBe("abc…");
});
