import { readFileSync } from "node:fs";

export interface BuildInfo {
  readonly version: string;
  /** Commit of the build from `HELIUS_REVISION`, or `unknown`. */
  readonly revision: string;
}

/** Version from package.json and revision from the environment. */
export function readBuildInfo(env: Readonly<Record<string, string | undefined>> = {}): BuildInfo {
  const text = readFileSync(new URL("../../../package.json", import.meta.url), "utf8");
  const { version } = JSON.parse(text) as { version: string };
  return { version, revision: env.HELIUS_REVISION || "unknown" };
}
