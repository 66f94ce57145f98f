import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type RunningDaemon, startDaemon } from "./daemon.ts";
import { freePort } from "./ports.ts";

export interface PrometheusOptions {
  /** Path of the `prometheus` program. */
  readonly binary: string;
  /** Text of `prometheus.yml`. */
  readonly config: string;
  /** Further files beside it, by name: rules, for example. */
  readonly files?: Readonly<Record<string, string>>;
  /** Default: a free one. */
  readonly port?: number;
  /** Further command-line flags. */
  readonly flags?: readonly string[];
  /** Puts blocks into the data folder before the start. */
  readonly prepare?: (dataFolder: string) => void;
  /** Default 20 000 ms. */
  readonly readyTimeoutMs?: number;
}

export type RunningPrometheus = RunningDaemon;

/** Starts a real Prometheus on loopback with a data folder of its own, and waits until it is ready. */
export async function startPrometheus(options: PrometheusOptions): Promise<RunningPrometheus> {
  const folder = mkdtempSync(join(tmpdir(), "helius-prometheus-"));
  const port = options.port ?? (await freePort());
  for (const [name, text] of Object.entries({ ...options.files, "prometheus.yml": options.config })) {
    writeFileSync(join(folder, name), text);
  }
  options.prepare?.(join(folder, "data"));
  return startDaemon({
    name: "Prometheus",
    binary: options.binary,
    args: [
      `--config.file=${join(folder, "prometheus.yml")}`,
      `--storage.tsdb.path=${join(folder, "data")}`,
      `--web.listen-address=127.0.0.1:${port}`,
      "--log.level=warn",
      ...(options.flags ?? []),
    ],
    folder,
    url: `http://127.0.0.1:${port}`,
    ...(options.readyTimeoutMs === undefined ? {} : { readyTimeoutMs: options.readyTimeoutMs }),
  });
}
