import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort, waitFor } from "../../../../test/setup/ports.ts";
import { type Started, startGateway, stopProcess, sumOf } from "./processes.ts";
import { Publisher } from "./publisher.ts";

const REGIONS = ["us-east-1", "eu-central-1", "sa-east-1", "us-west-2"];
const DEVICES = 2;
/** Messages a second of one device. */
const PER_SECOND = 250;

export interface KillOptions {
  readonly times: number;
  readonly dataDir: string;
  /** A NATS server as the buffer; undefined: the embedded one. */
  readonly natsUrl?: string | undefined;
  /** Between 0 and 1: when to kill. */
  readonly random: () => number;
  readonly onKill?: (count: number, recoveryMs: number) => void;
}

export interface KillReport {
  readonly kills: number;
  readonly sent: number;
  readonly acknowledged: number;
  /** Acknowledged, and neither in the store nor among the dead letters. */
  readonly lost: number;
  /** More rows for a message than one. */
  readonly duplicate_effects: number;
  /** Rows of messages that no device sent. */
  readonly foreign: number;
  /** From the start of the process to the first acknowledgement after it. */
  readonly recovery_ms: { readonly median: number; readonly max: number };
}

/**
 * Devices publish all the time; the gateway is killed with SIGKILL and started again, `times` times; then everything is
 * delivered, and the store is compared with what was acknowledged.
 */
export async function killRun(options: KillOptions): Promise<KillReport> {
  const [httpPort, mqttPort] = [await freePort(), await freePort()];
  const env = {
    // Slower than the devices together, so that there is a backlog to lose.
    GATEWAY_CONSUME_RATE: "1800",
    ...(options.natsUrl === undefined ? {} : { NATS_URL: options.natsUrl }),
  };
  const launch = (consumeRate?: string): Started =>
    startGateway({
      httpPort,
      mqttPort,
      dataDir: options.dataDir,
      env: consumeRate === undefined ? env : { ...env, GATEWAY_CONSUME_RATE: consumeRate },
    });
  const devices = REGIONS.flatMap((region) =>
    Array.from({ length: DEVICES }, (_, index) => ({
      region,
      publisher: new Publisher({
        port: mqttPort,
        region,
        device: `dev${index}`,
        window: 200,
        perSecond: PER_SECOND,
      }),
    })),
  );
  const acked = () => devices.reduce((sum, { publisher }) => sum + publisher.acked, 0);
  const recoveries: number[] = [];
  let gateway = launch();
  try {
    for (let count = 1; count <= options.times; count += 1) {
      recoveries.push(await firstAck(acked, gateway));
      options.onKill?.(count, recoveries.at(-1) ?? 0);
      await sleep(30 + options.random() * 400);
      gateway.child.kill("SIGKILL");
      await gateway.exited;
      gateway = launch(count === options.times ? "50000" : undefined);
    }
    recoveries.push(await firstAck(acked, gateway));
    for (const { publisher } of devices) publisher.stop();
    await drained(httpPort, gateway);
  } finally {
    for (const { publisher } of devices) publisher.stop();
    await stopProcess(gateway);
  }
  const folder = join(options.dataDir, `telemetry-gateway-${httpPort}`);
  return { kills: options.times, ...compare(folder, devices), recovery_ms: spread(recoveries) };
}

/** Milliseconds until the devices have an acknowledgement more than now. */
async function firstAck(acked: () => number, gateway: Started): Promise<number> {
  const start = performance.now();
  const before = acked();
  await waitFor(
    () => {
      if (gateway.child.exitCode !== null) throw new Error(`the gateway ended:\n${gateway.output()}`);
      return acked() > before;
    },
    { what: "an acknowledgement after the start", timeoutMs: 30_000, everyMs: 2 },
  );
  return performance.now() - start;
}

async function drained(httpPort: number, gateway: Started): Promise<void> {
  let empty = 0;
  await waitFor(
    async () => {
      if (gateway.child.exitCode !== null) throw new Error(`the gateway ended:\n${gateway.output()}`);
      const page = await (await fetch(`http://127.0.0.1:${httpPort}/metrics`)).text();
      // Several times in a row: what was sent last may still be on its way in, and depths are read now and then.
      empty = sumOf(page, "queue_depth") === 0 ? empty + 1 : 0;
      return empty > 20;
    },
    { what: "the buffer to be empty", timeoutMs: 120_000, everyMs: 100 },
  );
}

function compare(
  folder: string,
  devices: readonly { readonly region: string; readonly publisher: Publisher }[],
) {
  const report = { sent: 0, acknowledged: 0, lost: 0, duplicate_effects: 0, foreign: 0 };
  for (const region of REGIONS) {
    const db = new DatabaseSync(join(folder, `telemetry-${region}.sqlite`), { readOnly: true });
    const effects = new Map<string, number>();
    for (const row of db
      .prepare("SELECT id, count(*) AS n FROM telemetry NOT INDEXED GROUP BY device, id")
      .iterate()) {
      effects.set(String(row.id), Number(row.n));
    }
    db.close();
    const known = new Set<string>();
    for (const { publisher } of devices.filter((device) => device.region === region)) {
      report.sent += publisher.sent;
      for (let number = 0; number < publisher.sent; number += 1) known.add(publisher.idOf(number));
      for (const id of publisher.ackedIds()) {
        report.acknowledged += 1;
        if (!effects.has(id)) report.lost += 1;
      }
    }
    for (const [id, count] of effects) {
      if (!known.has(id)) report.foreign += 1;
      report.duplicate_effects += count - 1;
    }
  }
  return report;
}

function spread(values: readonly number[]): { median: number; max: number } {
  const sorted = [...values].sort((a, b) => a - b);
  return {
    median: Math.round(sorted[Math.floor(sorted.length / 2)] ?? 0),
    max: Math.round(sorted.at(-1) ?? 0),
  };
}
