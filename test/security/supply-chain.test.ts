import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { withoutHash } from "../../tools/lint/lockfile.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

interface Locked {
  readonly version: string;
  readonly dev?: boolean;
  readonly integrity?: string;
  readonly resolved?: string;
}

const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
  packages: Record<string, Locked>;
};
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  name: string;
  dependencies: Record<string, string>;
};
const installed = Object.entries(packages)
  .filter(([path]) => path.startsWith("node_modules/"))
  .map(([path, locked]) => ({ name: path.slice(path.lastIndexOf("node_modules/") + 13), ...locked }));

const held = installed.filter((p) => p.dev !== true);

test("every package is locked with a strong hash, what only another platform installs included", () => {
  expect(held.length).toBeGreaterThan(100);
  for (const { name, integrity } of held) expect(integrity, name).toMatch(/^sha512-/);
  expect(withoutHash(readFileSync(join(root, "package-lock.json"), "utf8"))).toEqual([]);
});

test.each([{}, { integrity: "" }, { integrity: "sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=" }])(
  "an entry without one fails the check: %j",
  (entry) => {
    const packages = { "": {}, "node_modules/a": { version: "1.0.0", ...entry } };
    expect(withoutHash(JSON.stringify({ packages }))).toEqual(["node_modules/a"]);
  },
);

test("the bill of materials names exactly what the image holds, without a network", () => {
  const text = execFileSync("npm", ["run", "--silent", "sbom"], {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
    stdio: ["ignore", "pipe", "ignore"],
    // Whoever asks a registry here gets no answer.
    env: { ...process.env, npm_config_offline: "true", npm_config_registry: "http://127.0.0.1:9/" },
  });
  const bill = JSON.parse(text) as {
    bomFormat: string;
    metadata: { component: { "bom-ref": string; name: string } };
    components: { "bom-ref": string; name: string; version: string; hashes?: { alg: string }[] }[];
    dependencies: { ref: string; dependsOn: string[] }[];
  };
  expect(bill.bomFormat).toBe("CycloneDX");
  const listed = bill.components.map(({ name, version }) => `${name}@${version}`).sort();
  expect(listed).toEqual([...new Set(held.map(({ name, version }) => `${name}@${version}`))].sort());
  for (const name of Object.keys(manifest.dependencies))
    expect(bill.components.map((c) => c.name)).toContain(name);
  const refs = new Set([bill.metadata.component, ...bill.components].map((c) => c["bom-ref"]));
  for (const { ref, dependsOn } of bill.dependencies)
    for (const one of [ref, ...dependsOn]) expect([...refs]).toContain(one);
  expect(bill.metadata.component.name).toBe(manifest.name);
  for (const { name, hashes } of bill.components)
    expect(
      hashes?.map((hash) => hash.alg),
      name,
    ).toContain("SHA-512");
});
