// One server in a process of its own: `server.ts bare` or `server.ts kit`; prints its URL.
import { mkdtempSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import express from "express";
import { createLogger } from "../../../common/telemetry/logger.ts";
import { createRegistry } from "../../../common/telemetry/registry.ts";
import { startService } from "../../../services/kit/service.ts";

const ANSWER = { ok: true, items: [1, 2, 3] };

if (process.argv[2] === "bare") {
  const app = express();
  app.disable("x-powered-by");
  app.get("/thing/:id", (_request, response) => void response.json(ANSWER));
  const server = app.listen(0, "127.0.0.1", () => {
    console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  });
} else {
  const service = await startService({
    name: "bench",
    version: "0",
    host: "127.0.0.1",
    port: 0,
    adminTokens: ["t"],
    logger: createLogger({ job: "bench", level: "silent" }),
    registry: createRegistry(),
    dataDir: mkdtempSync(join(tmpdir(), "helius-overhead-")),
    faultInjection: true,
    routes: (app) => app.get("/thing/:id", (_request, response) => void response.json(ANSWER)),
  });
  console.log(service.url);
}
