import { createRegistry } from "../../src/common/telemetry/registry.ts";
import { sumOf } from "../../src/lab/bench/gateway/processes.ts";
import { type ServiceClock, systemClock } from "../../src/services/kit/clock.ts";
import { capturedLog, type LogLine, TOKEN } from "../../src/services/kit/kit.testkit.ts";
import type { RunningService } from "../../src/services/kit/service.ts";
import { telemetryGateway } from "../../src/services/telemetry-gateway/service.ts";

export interface TestGateway extends RunningService {
  readonly lines: LogLine[];
  readonly mqttPort: number;
  admin(
    method: string,
    path: string,
  ): Promise<{ readonly status: number; readonly json: Record<string, unknown> }>;
  post(
    body: unknown,
  ): Promise<{ readonly status: number; readonly headers: Headers; readonly json: Record<string, unknown> }>;
  /** Sum of the series of a metric whose labels contain each of `labels`. */
  metric(name: string, ...labels: string[]): Promise<number>;
}

/** The gateway in this process, on free ports. */
export async function startGateway(options: {
  readonly dataDir: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly clock?: ServiceClock;
}): Promise<TestGateway> {
  const { lines, logger } = capturedLog();
  const running = await telemetryGateway.start({
    version: "1.2.3",
    host: "127.0.0.1",
    port: 0,
    adminTokens: [TOKEN],
    logger,
    registry: createRegistry({ processMetrics: false }),
    dataDir: options.dataDir,
    faultInjection: true,
    clock: options.clock ?? systemClock,
    env: { GATEWAY_MQTT_PORT: "0", ...options.env },
  });
  const health = (await (await fetch(`${running.url}/health`)).json()) as { mqtt_port?: number };
  return {
    ...running,
    lines,
    mqttPort: health.mqtt_port ?? 0,
    async admin(method, path) {
      const response = await fetch(`${running.url}${path}`, { method, headers: { "x-admin-token": TOKEN } });
      return { status: response.status, json: (await response.json()) as Record<string, unknown> };
    },
    async post(body) {
      const response = await fetch(`${running.url}/telemetry`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: typeof body === "string" ? body : JSON.stringify(body),
      });
      return {
        status: response.status,
        headers: response.headers,
        json: (await response.json()) as Record<string, unknown>,
      };
    },
    async metric(name, ...labels) {
      const page = await (await fetch(`${running.url}/metrics`)).text();
      const lines = page.split("\n").filter((line) => labels.every((label) => line.includes(label)));
      return sumOf(lines.join("\n"), name);
    },
  };
}

/** A message of the scheme. */
export function reading(id: string, value = 1): { id: string; ts: number; metrics: Record<string, number> } {
  return { id, ts: 1_700_000_000_000, metrics: { temperature: value } };
}
