import { startLoad } from "../../services/load-generator/load.ts";
import { type RunningClient, startPageClient, startPredictionClient } from "./clients.ts";
import type { Wait } from "./instruments.ts";
import { type MqttFleet, startMqttFleet } from "./mqtt-fleet.ts";
import type { ClientAnswer } from "./recording.ts";

/** Regions with devices of their own, and the one that takes over. */
export const REGIONS = ["us-east-1", "eu-central-1", "sa-east-1"] as const;
export const SECONDARY_REGION = "us-west-2";
/** Devices of each region. */
const DEVICES = 12;
/** Requests a second of customers, of those who open product pages, and of the recommender's own clients. */
const CUSTOMERS = 30;
const PAGES = 5;
const PREDICTIONS = 25;

export interface Traffic {
  readonly fleets: ReadonlyMap<string, MqttFleet>;
  waits(): readonly Wait[];
  pages(): readonly ClientAnswer[];
  predictions(): readonly ClientAnswer[];
  /** Sends no more. */
  stop(): Promise<void>;
}

/** Customers, clients and devices of a run. Every drill has the same, where it has the service they ask. */
export function startTraffic(options: {
  readonly urls: ReadonlyMap<string, string>;
  readonly mqttUrl: string;
  readonly failover: Readonly<Record<string, string>>;
  /** Messages a second of all devices of a region. */
  readonly telemetryRate: number;
}): Traffic {
  const { urls, mqttUrl, failover } = options;
  const waits: Wait[] = [];
  const shop = urls.get("product-api");
  if (shop === undefined) throw new TypeError("every drill has a product-api");
  const load = startLoad({
    baseUrl: shop,
    ratePerSecond: CUSTOMERS,
    onAnswer: ({ ms }) => void waits.push({ atS: performance.now() / 1_000, ms }),
  });
  const pages = startPageClient({ baseUrl: shop, perSecond: PAGES, seed: 2 });
  const recommender = urls.get("recommender-service");
  const predictions: RunningClient | undefined =
    recommender === undefined
      ? undefined
      : startPredictionClient({ baseUrl: recommender, perSecond: PREDICTIONS, seed: 3 });
  const fleets = new Map(
    REGIONS.map((region, n): [string, MqttFleet] => [
      region,
      startMqttFleet({
        url: mqttUrl,
        region,
        devices: DEVICES,
        messagesPerSecond: options.telemetryRate,
        seed: 10 + n,
        ...(failover[region] === undefined ? {} : { failoverRegion: failover[region] }),
      }),
    ]),
  );
  return {
    fleets,
    waits: () => waits,
    pages: () => pages.answers(),
    predictions: () => predictions?.answers() ?? [],
    async stop() {
      await Promise.all([
        load.stop(),
        pages.stop(),
        predictions?.stop(),
        ...[...fleets.values()].map((fleet) => fleet.stop()),
      ]);
    },
  };
}
