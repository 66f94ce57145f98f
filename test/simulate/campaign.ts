import { spawn } from "node:child_process";
import { createWriteStream, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { setPriority, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { TestProject } from "vitest/node";

const MAIN = fileURLToPath(new URL("./main.ts", import.meta.url));
/** Seeds in every whole test run; `npm run simulate -- --seeds 1000` is the long campaign. */
export const SEEDS = 250;
/** Below everything else: it takes what the other tests leave. */
const PRIORITY = 19;

declare module "vitest" {
  interface ProvidedContext {
    /** Folder with `out`, `err` and, once it has ended, `code` of the campaign. */
    campaign: string;
  }
}

/** Starts the seeds when a test run begins, and takes them away with it. */
export default function setup(project: TestProject): () => Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "helius-campaign-"));
  const child = spawn(process.execPath, [MAIN, "--seeds", `${SEEDS}`, "--hours", "24", "--output", "json"], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  if (child.pid !== undefined) setPriority(child.pid, PRIORITY);
  child.stdout.pipe(createWriteStream(join(folder, "out")));
  child.stderr.pipe(createWriteStream(join(folder, "err")));
  const ended = new Promise<void>((resolve) => {
    child.once("error", () => resolve());
    child.once("close", (code) => {
      writeFileSync(join(folder, "code.part"), `${code}`);
      renameSync(join(folder, "code.part"), join(folder, "code"));
      resolve();
    });
  });
  project.provide("campaign", folder);
  return async () => {
    child.kill("SIGKILL");
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
}
