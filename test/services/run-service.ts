import { enableCompileCache } from "node:module";
import { fileURLToPath } from "node:url";

// A service as a process of its own, for the tests that kill it: `node run-service.ts NAME LISTEN_ADDRESS`.
enableCompileCache(fileURLToPath(new URL("../../.cache/compile", import.meta.url)));
const { startServiceFromEnv } = await import("../../src/services/registry.ts");
const [name = "", address = ""] = process.argv.slice(2);
const service = await startServiceFromEnv(name, process.env, { "web.listen-address": address });
process.once("SIGTERM", () => {
  void service.close().then(() => process.exit(0));
});
