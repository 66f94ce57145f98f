// What `npm ci` would install without knowing that it is what was locked: entries of package-lock.json without a strong
// hash. `node tools/lint/lockfile.ts [FILE]` prints them and exits 1.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

interface Locked {
  readonly version?: string;
  readonly integrity?: string;
}

/** Paths of the entries whose hash is missing or weak. @param text of a package-lock.json */
export function withoutHash(text: string): string[] {
  const { packages } = JSON.parse(text) as { packages: Record<string, Locked> };
  return Object.entries(packages).flatMap(([path, { integrity = "" }]) =>
    path === "" || /^sha512-[A-Za-z0-9+/]{86}==$/.test(integrity) ? [] : [path],
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const file = process.argv[2] ?? fileURLToPath(new URL("../../package-lock.json", import.meta.url));
  const weak = withoutHash(readFileSync(file, "utf8"));
  for (const path of weak)
    console.error(
      `${file}: ${path} has no sha512 hash; add what "npm view NAME@VERSION dist.integrity" says`,
    );
  if (weak.length > 0) process.exitCode = 1;
}
