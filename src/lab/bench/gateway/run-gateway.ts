import { startServiceFromEnv } from "../../../services/registry.ts";

// The gateway as a process of its own, for what kills or measures it: `node run-gateway.ts LISTEN_ADDRESS`.
const [address = ""] = process.argv.slice(2);
const service = await startServiceFromEnv("telemetry-gateway", process.env, {
  "web.listen-address": address,
});
process.once("SIGTERM", () => {
  void service.close().then(() => process.exit(0));
});
