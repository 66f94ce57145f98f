import { startServiceFromEnv } from "../../src/services/registry.ts";

// A service as a process of its own, for the tests that kill it: `node run-service.ts NAME LISTEN_ADDRESS`.
const [name = "", address = ""] = process.argv.slice(2);
const service = await startServiceFromEnv(name, process.env, { "web.listen-address": address });
process.once("SIGTERM", () => {
  void service.close().then(() => process.exit(0));
});
