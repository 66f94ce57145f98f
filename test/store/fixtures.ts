import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

export * from "./records.ts";

/** A new directory that is removed when the test ends. */
export function testDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "helius-store-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}
