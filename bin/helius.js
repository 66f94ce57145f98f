#!/usr/bin/env node
// The program needs Node 24; under an older one it is handed to the Node that `npm ci` installed beside it.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));
const own = fileURLToPath(new URL("../node_modules/.bin/node", import.meta.url));
const args = [main, ...process.argv.slice(2)];
if (Number(process.versions.node.split(".")[0]) >= 24) {
  process.argv.splice(1, 1, main);
  await import(main);
} else if (existsSync(own)) {
  const child = spawn(own, args, { stdio: "inherit" });
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(name, () => child.kill(name));
  child.on("exit", (code, signal) => process.exit(signal === null ? (code ?? 1) : 128));
} else {
  console.error(
    `helius needs Node 24 or newer, this is ${process.version}; run npm ci, which installs one beside it`,
  );
  process.exit(1);
}
