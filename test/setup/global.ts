import type { TestProject } from "vitest/node";
import { ensureServers, type ServerName } from "./servers.ts";

const NEEDED: readonly ServerName[] = [
  "prometheus",
  "promtool",
  "alertmanager",
  "amtool",
  "mosquitto",
  "nats-server",
  "strace",
  "faketime",
  "chromium",
];

declare module "vitest" {
  interface ProvidedContext {
    /** Absolute path of each test server that was found, by name. */
    servers: Record<string, string>;
  }
}

/**
 * Runs once before all tests: finds or installs the servers that tests need and hands their paths to `inject("servers")`.
 * A missing one is printed with what to do; with CI=true it fails the run, so that no test is left out unnoticed.
 */
export default async function setup(project: TestProject): Promise<void> {
  const { found, missing } = await ensureServers(NEEDED);
  project.provide("servers", found);
  if (missing.length === 0) return;
  const lines = missing.map(({ name, howToInstall }) => `  ${name}: ${howToInstall}`).join("\n");
  const text = `these servers are missing, so tests that need them are not run:\n${lines}`;
  if (process.env.CI === "true") throw new Error(text);
  console.error(`[servers] ${text}`);
}
