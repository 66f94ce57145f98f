import { Agent } from "undici";
import { exchangeJson } from "../../common/net/json.ts";
import { pickOne, type Random, seededRandom } from "../kit/random.ts";
import { startArrivals } from "./arrivals.ts";

export interface DeviceOptions {
  /** Base URL of the telemetry gateway. */
  readonly gatewayUrl: string;
  /** Mean messages a second of all devices together, 0 < rate <= 100,000. */
  readonly messagesPerSecond: number;
  /** Same seed, same messages. Default 1. */
  readonly seed?: number;
  /** Devices of each region. Default 20. */
  readonly devices?: number;
}

interface DeviceStats {
  readonly offered: number;
  readonly accepted: number;
  /** Refused, cut off or late: a device keeps the message and sends it again. */
  readonly failed: number;
}

export interface RunningDevices {
  stats(): DeviceStats;
  stop(): Promise<DeviceStats>;
}

const REGIONS = ["us-east-1", "eu-central-1", "sa-east-1"];
/** Messages a device sends at once. */
const BATCH = 5;
/** Batches under way at once; beyond that they are counted as failed. */
const MAX_IN_FLIGHT = 50;
const TIMEOUT_MS = 5000;

/**
 * Telemetry like that of edge devices: small batches at random moments, now and then one sent twice, as a device does
 * that missed the acknowledgement. A gateway that is down only raises `failed`.
 */
export function startDevices(options: DeviceOptions): RunningDevices {
  const { messagesPerSecond, seed = 1, devices = 20 } = options;
  if (!(messagesPerSecond > 0 && messagesPerSecond <= 100_000))
    throw new RangeError(
      `messagesPerSecond is ${messagesPerSecond}: expected 0 < messages a second <= 100000`,
    );
  const agent = new Agent({ connections: MAX_IN_FLIGHT, pipelining: 1 });
  const random = seededRandom(seed);
  const counts = { offered: 0, accepted: 0, failed: 0 };
  const underWay = new Set<Promise<void>>();
  let serial = 0;
  const stopArrivals = startArrivals({
    random,
    ratePerSecond: messagesPerSecond / BATCH,
    arrive: () => send(nextBatch(random, devices, Date.now(), () => serial++)),
  });

  function send(batch: Batch): void {
    counts.offered += batch.messages.length;
    if (underWay.size >= MAX_IN_FLIGHT) {
      counts.failed += batch.messages.length;
      return;
    }
    const sent: Promise<void> = post(options.gatewayUrl, batch, agent).then((ok) => {
      counts[ok ? "accepted" : "failed"] += batch.messages.length;
      underWay.delete(sent);
    });
    underWay.add(sent);
    if (random() < 0.02) void post(options.gatewayUrl, batch, agent);
  }

  return {
    stats: () => ({ ...counts }),
    async stop() {
      stopArrivals();
      await Promise.all(underWay);
      await agent.destroy();
      return { ...counts };
    },
  };
}

interface Batch {
  readonly region: string;
  readonly device: string;
  readonly messages: readonly { id: string; ts: number; metrics: Record<string, number> }[];
}

function nextBatch(random: Random, devices: number, nowMs: number, serial: () => number): Batch {
  return {
    region: pickOne(random, REGIONS),
    device: `edge-${Math.floor(random() * devices)}`,
    messages: Array.from({ length: BATCH }, () => ({
      id: `${nowMs}-${serial()}`,
      ts: nowMs,
      metrics: { temperature: 18 + 8 * random(), load: random() },
    })),
  };
}

async function post(url: string, batch: Batch, dispatcher: Agent): Promise<boolean> {
  const limits = { timeoutMs: TIMEOUT_MS, maxBytes: 65_536 };
  const answer = await exchangeJson({
    url: `${url}/telemetry`,
    method: "POST",
    json: batch,
    dispatcher,
    ...limits,
  });
  return answer.ok && answer.status === 202;
}
