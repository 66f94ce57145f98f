import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { ConfigError } from "../config/types.ts";
import { tokenSource } from "./token.ts";

const folder = mkdtempSync(join(tmpdir(), "helius-token-"));
afterAll(() => rmSync(folder, { recursive: true }));

let written = 0;
/** A token file; every writing has a time of its own. */
function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  written += 1;
  utimesSync(path, 1_700_000_000 + written, 1_700_000_000 + written);
  return path;
}

describe("tokenSource", () => {
  it("without a file gives the configured token", () => {
    expect(tokenSource({ token: "given", tokenFile: undefined })()).toBe("given");
  });

  it("takes the first line of the file, over the configured token", () => {
    const tokenFile = file("first", "\uFEFF one \r\nold\n");
    expect(tokenSource({ token: "given", tokenFile })()).toBe("one");
  });

  it("reads it again when it changes", () => {
    const tokenFile = file("rotated", "one\n");
    const token = tokenSource({ token: "", tokenFile });
    expect(token()).toBe("one");
    file("rotated", "two\n");
    expect(token()).toBe("two");
    expect(token()).toBe("two");
  });

  it("keeps the last good token while the file is empty or gone, and takes the next", () => {
    const tokenFile = file("replaced", "one");
    const token = tokenSource({ token: "", tokenFile });
    file("replaced", "\n");
    expect(token()).toBe("one");
    rmSync(tokenFile);
    expect(token()).toBe("one");
    file("replaced", "three");
    expect(token()).toBe("three");
  });

  it("at the start refuses a file that is missing or empty, naming it and what would be right", () => {
    const missing = join(folder, "missing");
    expect(() => tokenSource({ token: "x", tokenFile: missing })).toThrow(ConfigError);
    expect(() => tokenSource({ token: "x", tokenFile: missing })).toThrow(
      `${missing}: admin.token_file cannot be read: ENOENT`,
    );
    const empty = file("empty", "  \ntoken on the second line\n");
    expect(() => tokenSource({ token: "x", tokenFile: empty })).toThrow(
      `${empty}: admin.token_file must hold the admin token in its first line`,
    );
  });
});
