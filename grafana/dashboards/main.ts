import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { dashboards, folder } from "./index.ts";

// `npm run dashboards`: writes what Grafana is provisioned with.
mkdirSync(folder, { recursive: true });
for (const [name, text] of dashboards()) {
  writeFileSync(join(folder, name), text);
  process.stdout.write(`${join("grafana/provisioning/dashboards/json", name)}\n`);
}
