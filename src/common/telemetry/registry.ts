import { Counter, collectDefaultMetrics, Gauge, Registry } from "prom-client";
import type { BuildInfo } from "./build-info.ts";

export interface RegistryOptions {
  /** Labels of every series of this registry. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Process metrics (CPU, memory, event loop, garbage collection). Default true. */
  readonly processMetrics?: boolean;
}

/** A registry of its own; nothing is ever put into the library's global one. */
export function createRegistry(options: RegistryOptions = {}): Registry {
  const registry = new Registry();
  if (options.labels !== undefined) registry.setDefaultLabels({ ...options.labels });
  if (options.processMetrics !== false) collectDefaultMetrics({ register: registry });
  return registry;
}

/** Registers `NAME{version,revision} 1`, e.g. `predict_build_info`. */
export function registerBuildInfo(options: {
  readonly registry: Registry;
  readonly name: string;
  readonly build: BuildInfo;
}): void {
  const gauge = new Gauge({
    name: options.name,
    help: "Version and revision of the running program; the value is always 1.",
    labelNames: ["version", "revision"],
    registers: [options.registry],
  });
  gauge.set({ version: options.build.version, revision: options.build.revision }, 1);
}

/** Registers `log_lines_dropped_total`, read from the log at every scrape. */
export function registerDroppedLines(registry: Registry, log: { droppedLines(): number }): void {
  new Counter({
    name: "log_lines_dropped_total",
    help: "Log lines that could not be written and were given up.",
    registers: [registry],
    collect() {
      this.reset();
      this.inc(log.droppedLines());
    },
  });
}

/** Registers `admin_token_file_unusable`, which looks at the file at every scrape. */
export function registerTokenFile(registry: Registry, tokens: { problem(): string | undefined }): void {
  new Gauge({
    name: "admin_token_file_unusable",
    help: "1 while the token file, as it is, cannot be used and the last good tokens are in force.",
    registers: [registry],
    collect() {
      this.set(tokens.problem() === undefined ? 0 : 1);
    },
  });
}
