import { createRegistry } from "../../src/common/telemetry/registry.ts";
import type { ServiceClock } from "../../src/services/kit/clock.ts";
import { capturedLog, type LogLine } from "../../src/services/kit/kit.testkit.ts";
import { recommenderService } from "../../src/services/recommender-service/service.ts";

const TOKEN = "test-token";

interface Answered {
  readonly status: number;
  readonly json: Record<string, unknown>;
}

export interface TestRecommender {
  readonly url: string;
  readonly lines: LogLine[];
  close(): Promise<void>;
  /** `POST /predict` with any body. */
  predict(body: unknown): Promise<Answered>;
  /** `POST /admin/PATH` with the right token. */
  admin(path: string): Promise<Answered>;
  health(): Promise<Record<string, unknown>>;
  /** Sum of the samples of a metric; undefined when it has none. Labels as they are written, e.g. `{mode="static"}`. */
  metric(name: string, labels?: string): Promise<number | undefined>;
}

/** Starts a real recommender on a free port. `env` are its own variables. */
export async function startRecommender(options: {
  readonly dataDir: string;
  readonly env?: Record<string, string>;
  readonly clock?: ServiceClock;
}): Promise<TestRecommender> {
  const { lines, logger } = capturedLog();
  const running = await recommenderService.start({
    version: "1.2.3",
    host: "127.0.0.1",
    port: 0,
    adminTokens: [TOKEN],
    logger,
    registry: createRegistry({ processMetrics: false }),
    dataDir: options.dataDir,
    faultInjection: true,
    env: { RECOMMENDER_POLL_SECONDS: "0.1", RECOMMENDER_MLFLOW_TIMEOUT_SECONDS: "0.5", ...options.env },
    ...(options.clock === undefined ? {} : { clock: options.clock }),
  });
  const answered = async (response: Response): Promise<Answered> => ({
    status: response.status,
    json: (await response.json()) as Record<string, unknown>,
  });
  return {
    url: running.url,
    lines,
    close: running.close,
    predict: async (body) =>
      answered(
        await fetch(`${running.url}/predict`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: typeof body === "string" ? body : JSON.stringify(body),
        }),
      ),
    admin: async (path) =>
      answered(
        await fetch(`${running.url}/admin/${path}`, { method: "POST", headers: { "x-admin-token": TOKEN } }),
      ),
    health: async () => (await answered(await fetch(`${running.url}/health`))).json,
    metric: async (name, labels = "") =>
      sumOf(await (await fetch(`${running.url}/metrics`)).text(), name, labels),
  };
}

function sumOf(page: string, name: string, labels: string): number | undefined {
  const values = page.split("\n").flatMap((line) => {
    const [series = "", value] = line.split(/ (?=[^ ]+$)/);
    const matches =
      labels === "" ? series === name || series.startsWith(`${name}{`) : series === name + labels;
    return matches ? [Number(value)] : [];
  });
  return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0);
}
