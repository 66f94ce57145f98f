import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

// `node tools/sbom.ts`: the bill of materials of what the image installs, as CycloneDX, from the lock file alone.
// npm's own `--omit dev` leaves out what a development tool needs too, yaml for one: so the whole bill is asked for, and
// what npm marks as for development only is taken out.

interface Component {
  readonly "bom-ref": string;
  readonly name: string;
  readonly properties?: readonly { readonly name: string; readonly value: string }[];
}

interface Bill {
  readonly metadata: { readonly component: Component };
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn?: readonly string[] }[];
}

const { name } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
  name: string;
};
const args = ["sbom", "--sbom-format=cyclonedx", "--sbom-type=application", "--package-lock-only"];
const bill = JSON.parse(
  execFileSync("npm", args, {
    cwd: new URL("..", import.meta.url),
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
    stdio: ["ignore", "pipe", "inherit"],
  }),
) as Bill;

const components = bill.components.filter(
  ({ properties = [] }) =>
    !properties.some((p) => p.name === "cdx:npm:package:development" && p.value === "true"),
);
const held = new Set([bill.metadata.component["bom-ref"], ...components.map((c) => c["bom-ref"])]);
const dependencies = bill.dependencies
  .filter(({ ref }) => held.has(ref))
  .map(({ ref, dependsOn = [] }) => ({ ref, dependsOn: dependsOn.filter((other) => held.has(other)) }));
// npm names the application after its folder.
const metadata = { ...bill.metadata, component: { ...bill.metadata.component, name } };
process.stdout.write(`${JSON.stringify({ ...bill, metadata, components, dependencies }, null, 2)}\n`);
