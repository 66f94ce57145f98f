import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLogger, type Logger } from "../../common/telemetry/logger.ts";
import { createRegistry } from "../../common/telemetry/registry.ts";
import type { ServiceClock } from "./clock.ts";
import { type RunningService, type ServiceOptions, startService } from "./service.ts";

/** For tests only: a clock that moves when told to. */
export class ManualClock implements ServiceClock {
  wall = 1_700_000_000_000;
  mono = 5_000;

  wallMs(): number {
    return this.wall;
  }
  monoMs(): number {
    return this.mono;
  }
  advance(ms: number): void {
    this.wall += ms;
    this.mono += ms;
  }
}

export type LogLine = Readonly<Record<string, unknown>>;

/** A logger whose lines are kept. */
export function capturedLog(): { readonly lines: LogLine[]; readonly logger: Logger } {
  const lines: LogLine[] = [];
  const logger = createLogger({
    job: "test",
    level: "debug",
    stream: { write: (line) => void lines.push(JSON.parse(line) as LogLine) },
  });
  return { lines, logger };
}

interface Answered {
  readonly status: number;
  readonly headers: Headers;
  readonly json: Record<string, unknown>;
}

export interface TestService extends RunningService {
  readonly lines: LogLine[];
  /** An admin call with the right token; `null` leaves a header out. */
  admin(method: string, path: string, headers?: Record<string, string | null>): Promise<Answered>;
  /** Text of `/metrics`. */
  metrics(): Promise<string>;
}

export const TOKEN = "test-token";

/** Starts a service on a free port, with one route `GET /work` and a log that is kept. */
export async function startTestService(
  options: Partial<ServiceOptions> & { dataDir: string },
): Promise<TestService> {
  const { lines, logger } = capturedLog();
  const running = await startService({
    name: "test-service",
    version: "1.2.3",
    host: "127.0.0.1",
    port: 0,
    adminTokens: [TOKEN],
    logger,
    registry: createRegistry({ processMetrics: false }),
    faultInjection: true,
    routes: (app) => app.get("/work", (_request, response) => void response.json({ done: true })),
    ...options,
  });
  return {
    ...running,
    lines,
    async admin(method, path, headers = {}) {
      const all = { "x-admin-token": TOKEN, ...headers };
      const sent = Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== null);
      const response = await fetch(`${running.url}${path}`, { method, headers: sent });
      return {
        status: response.status,
        headers: response.headers,
        json: (await response.json()) as Record<string, unknown>,
      };
    },
    metrics: async () => (await fetch(`${running.url}/metrics`)).text(),
  };
}

/** Waits until `condition` answers something true, at most `limitMs`; then fails. */
export async function eventually<T>(
  condition: () => T | Promise<T>,
  limitMs = 30_000,
): Promise<NonNullable<T>> {
  const endMs = performance.now() + limitMs;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (performance.now() > endMs) throw new Error(`the condition did not come true within ${limitMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** A temporary directory, and how to remove it. */
export function temporaryDirectory(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), "helius-service-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}
