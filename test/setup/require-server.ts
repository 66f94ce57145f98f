import { inject, type TestContext } from "vitest";
import { findServers, type ServerName } from "./servers.ts";

/** Path of a test server, from the global setup or (run without it) from this machine; undefined when it is missing. */
export function serverPath(name: ServerName): string | undefined {
  const provided = inject("servers") as Record<string, string> | undefined;
  return provided?.[name] ?? findServers([name]).found[name];
}

/**
 * Path of a test server. Without it the calling test is reported as not run, with the reason; with CI=true it fails.
 */
export function requireServer(name: ServerName, context: Pick<TestContext, "skip">): string {
  const path = serverPath(name);
  if (path !== undefined) return path;
  const how = findServers([name]).missing[0]?.howToInstall ?? "";
  if (process.env.CI === "true") throw new Error(`${name} is missing: ${how}`);
  return context.skip(`${name} is missing: ${how}`);
}
