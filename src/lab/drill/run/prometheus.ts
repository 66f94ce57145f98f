import { type ChildProcess, spawn } from "node:child_process";
import {
  accessSync,
  constants,
  createWriteStream,
  globSync,
  mkdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { stringify } from "yaml";
import { answersOk } from "../../../common/net/exchange.ts";
import { freePort } from "../../ports.ts";
import type { Pace } from "../pace.ts";
import { shortenAlertmanager, shortenRules } from "../shorten.ts";

const ROOT = fileURLToPath(new URL("../../../../", import.meta.url));
/** Daemons lie in sbin, which an ordinary user's PATH lacks. */
const EXTRA_FOLDERS = ["/usr/local/sbin", "/usr/sbin", "/usr/local/bin", "/usr/bin"];
/** Shipped scrape and evaluation interval, seconds, and the shortest that makes sense. */
const INTERVAL_S = 15;
const LEAST_INTERVAL_S = 0.25;
const READY_MS = 20_000;

export interface DrillPrometheus {
  readonly url: string;
  /** Prometheus goes at once and does not come back. */
  kill(): Promise<void>;
  stop(): Promise<void>;
}

/** The program is not on this machine. */
class ProgramMissingError extends Error {
  override readonly name = "ProgramMissingError";
}

/**
 * Starts the installed Prometheus and Alertmanager on loopback, with the rules and routes of this repository, their times
 * divided by the speed. Alerts for containment go to the monitor's webhook.
 * @throws ProgramMissingError saying what to install.
 */
export async function startDrillPrometheus(options: {
  readonly folder: string;
  readonly pace: Pace;
  readonly token: string;
  /** Addresses by job, `host:port`. */
  readonly targets: ReadonlyMap<string, string>;
  readonly monitor: string;
}): Promise<DrillPrometheus> {
  const { folder, pace, token, targets, monitor } = options;
  const programs = {
    prometheus: find(["prometheus"], "prometheus"),
    alertmanager: find(["prometheus-alertmanager", "alertmanager"], "prometheus-alertmanager"),
  };
  const [promPort, alertPort] = [await freePort(), await freePort()];
  const home = join(folder, "prometheus");
  mkdirSync(join(home, "rules"), { recursive: true });
  for (const name of globSync("*.yml", { cwd: join(ROOT, "prometheus/rules") })) {
    const text = readFileSync(join(ROOT, "prometheus/rules", name), "utf8");
    writeFileSync(join(home, "rules", name), shortenRules(text, pace.speed));
  }
  const interval = `${Math.round(1_000 * Math.max(LEAST_INTERVAL_S, INTERVAL_S / pace.speed))}ms`;
  const jobs = new Map([...targets, ["predictive-monitor", monitor]]);
  const config = {
    global: { scrape_interval: interval, scrape_timeout: interval, evaluation_interval: interval },
    rule_files: ["rules/*.yml"],
    alerting: { alertmanagers: [{ static_configs: [{ targets: [`127.0.0.1:${alertPort}`] }] }] },
    scrape_configs: [...jobs].map(([job, address]) => ({
      job_name: job,
      static_configs: [{ targets: [address] }],
    })),
  };
  writeFileSync(join(home, "prometheus.yml"), stringify(config));
  const tokenFile = join(home, "token");
  writeFileSync(tokenFile, token, { mode: 0o600 });
  const shipped = readFileSync(join(ROOT, "alertmanager/alertmanager.yml"), "utf8");
  const webhookUrl = `http://${monitor}/api/v1/alerts/webhook`;
  writeFileSync(
    join(home, "alertmanager.yml"),
    shortenAlertmanager(shipped, { speed: pace.speed, webhookUrl, tokenFile }),
  );
  const alertmanager = await start(
    programs.alertmanager,
    join(folder, "logs", "alertmanager.log"),
    alertPort,
    [
      `--config.file=${join(home, "alertmanager.yml")}`,
      `--storage.path=${join(home, "alertmanager")}`,
      `--web.listen-address=127.0.0.1:${alertPort}`,
      "--cluster.listen-address=",
    ],
  );
  try {
    const prometheus = await start(programs.prometheus, join(folder, "logs", "prometheus.log"), promPort, [
      `--config.file=${join(home, "prometheus.yml")}`,
      `--storage.tsdb.path=${join(home, "data")}`,
      `--web.listen-address=127.0.0.1:${promPort}`,
    ]);
    return {
      url: `http://127.0.0.1:${promPort}`,
      kill: () => prometheus.end("SIGKILL"),
      async stop() {
        await prometheus.end("SIGKILL");
        await alertmanager.end("SIGKILL");
      },
    };
  } catch (error) {
    await alertmanager.end("SIGKILL");
    throw error;
  }
}

function find(names: readonly string[], debianPackage: string): string {
  const folders = [...(process.env.PATH ?? "").split(delimiter), ...EXTRA_FOLDERS];
  for (const name of names)
    for (const folder of folders.filter((path) => path !== "")) {
      const path = join(folder, name);
      try {
        accessSync(path, constants.X_OK);
        return path;
      } catch {
        // Not here.
      }
    }
  throw new ProgramMissingError(
    `${names.join(" or ")} is not installed; --with prometheus needs it (Debian: apt-get install ${debianPackage})`,
  );
}

interface Daemon {
  /** Sends a signal and waits for the end; does nothing where it has ended. */
  end(signal: NodeJS.Signals): Promise<void>;
}

async function start(binary: string, log: string, port: number, args: readonly string[]): Promise<Daemon> {
  const sink = createWriteStream(log);
  // Its own process group: Ctrl-C reaches us alone, and we stop it in order.
  const child = spawn(binary, args, { stdio: ["ignore", "pipe", "pipe"], detached: true });
  child.stdout?.pipe(sink, { end: false });
  child.stderr?.pipe(sink, { end: false });
  const ended = new Promise<void>((resolve) => {
    child.once("close", () => resolve());
    child.once("error", () => resolve());
  });
  const kill = () => void (running(child) && child.kill("SIGKILL"));
  process.once("exit", kill);
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (running(child)) child.kill(signal);
    await ended;
    process.off("exit", kill);
    sink.end();
  };
  const limitMs = performance.now() + READY_MS;
  while (!(await answersOk(`http://127.0.0.1:${port}/-/ready`, 1_000))) {
    if (running(child) && performance.now() < limitMs) {
      await sleep(50);
      continue;
    }
    await end("SIGKILL");
    throw new Error(`${binary} did not start: ${readFileSync(log, "utf8").slice(-500)}`);
  }
  return { end };
}

function running(child: ChildProcess): boolean {
  return child.pid !== undefined && child.exitCode === null && child.signalCode === null;
}
