import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createMlflowStandIn } from "./mlflow.ts";

// The stand-in for MLflow as a process of its own: node mlflow-process.ts PORT FILE. What it holds outlives it in FILE.

const [port, file] = process.argv.slice(2);
if (port === undefined || file === undefined) {
  process.stderr.write("usage: mlflow-process.ts PORT FILE\n");
  process.exit(2);
}

const mlflow = createMlflowStandIn({
  before: (request, response, next) => {
    if (request.method !== "GET") response.once("finish", save);
    next();
  },
});
if (existsSync(file)) mlflow.load(readFileSync(file, "utf8"));

function save(): void {
  // Whole or not at all: a kill in between must not leave half of it.
  writeFileSync(`${file}.new`, mlflow.save());
  renameSync(`${file}.new`, file as string);
}

const server = createServer(mlflow.app);
server.listen(Number(port), "127.0.0.1");
process.once("SIGTERM", () => {
  server.closeAllConnections();
  server.close(() => process.exit(0));
});
