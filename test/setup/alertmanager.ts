import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type RunningDaemon, startDaemon } from "./daemon.ts";
import { freePort } from "./ports.ts";

export interface AlertmanagerOptions {
  /** Path of the `alertmanager` program. */
  readonly binary: string;
  /** Text of `alertmanager.yml`. */
  readonly config: string;
  /** Further files beside it, by path: templates and secrets, for example. */
  readonly files?: Readonly<Record<string, string>>;
  /** Default: a free one. */
  readonly port?: number;
  /** Further command-line flags. */
  readonly flags?: readonly string[];
  /** Default 20 000 ms. */
  readonly readyTimeoutMs?: number;
}

export type RunningAlertmanager = RunningDaemon;

/** Starts a real Alertmanager on loopback, alone and with a data folder of its own, and waits until it is ready. */
export async function startAlertmanager(options: AlertmanagerOptions): Promise<RunningAlertmanager> {
  const folder = mkdtempSync(join(tmpdir(), "helius-alertmanager-"));
  const port = options.port ?? (await freePort());
  for (const [name, text] of Object.entries({ ...options.files, "alertmanager.yml": options.config })) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return startDaemon({
    name: "Alertmanager",
    binary: options.binary,
    args: [
      `--config.file=${join(folder, "alertmanager.yml")}`,
      `--storage.path=${join(folder, "data")}`,
      `--web.listen-address=127.0.0.1:${port}`,
      "--cluster.listen-address=",
      "--log.level=warn",
      ...(options.flags ?? []),
    ],
    folder,
    url: `http://127.0.0.1:${port}`,
    ...(options.readyTimeoutMs === undefined ? {} : { readyTimeoutMs: options.readyTimeoutMs }),
  });
}
