import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { FolderError, privateFile, privateFolder, whyNot } from "./private.ts";

let dir = "";
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "helius-private-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const mode = (path: string) => (statSync(path).mode & 0o777).toString(8);

test("a new folder, those above it, and one that is empty are for this user alone", () => {
  privateFolder(join(dir, "a", "b"));
  mkdirSync(join(dir, "empty"));
  chmodSync(join(dir, "empty"), 0o755);
  privateFolder(join(dir, "empty"));
  expect(["a", "a/b", "empty"].map((name) => mode(join(dir, name)))).toEqual(["700", "700", "700"]);
});

test("one that holds something stays as it is: it may be shared on purpose", () => {
  const shared = join(dir, "shared");
  mkdirSync(shared);
  chmodSync(shared, 0o755);
  writeFileSync(join(shared, "of others"), "");
  privateFolder(shared);
  expect(mode(shared)).toBe("755");
});

test("files are for this user alone, new or old, with what SQLite keeps beside them", () => {
  const [fresh, old] = [join(dir, "new"), join(dir, "old")];
  for (const path of [old, `${old}-wal`, `${old}-shm`]) {
    writeFileSync(path, "x");
    chmodSync(path, 0o644);
  }
  privateFile(fresh);
  privateFile(old);
  expect([fresh, old, `${old}-wal`, `${old}-shm`].map(mode)).toEqual(["600", "600", "600", "600"]);
  expect(statSync(fresh).size).toBe(0);
});

test("what cannot be used is named with the reason, and at once", () => {
  writeFileSync(join(dir, "file"), "");
  const why = (path: string) => {
    try {
      privateFolder(path);
      return "";
    } catch (error) {
      expect(error).toBeInstanceOf(FolderError);
      return (error as Error).message;
    }
  };
  expect(why(join(dir, "file"))).toBe(
    `${join(dir, "file")} cannot be written: a file stands in its way (EEXIST)`,
  );
  expect(why(join(dir, "file", "x"))).toContain("a file stands in its way (EEXIST)");
  expect(why("/proc/helius/data")).toBe(
    "/proc/helius/data cannot be written: nothing can be made there (ENOENT)",
  );
});

test.each([
  ["EROFS", "it is on a read-only file system (EROFS)"],
  ["EACCES", "this user has no right to write there (EACCES)"],
  ["EIO", "input/output error"],
])("%s in words", (code, words) => {
  expect(whyNot(Object.assign(new Error("input/output error"), { code }))).toBe(words);
});
