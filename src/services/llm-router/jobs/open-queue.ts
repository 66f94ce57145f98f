import { join } from "node:path";
import type { Logger } from "pino";
import type { ServiceClock } from "../../kit/clock.ts";
import { SqliteQueue } from "../../queue/sqlite-queue.ts";
import type { DurableQueue } from "../../queue/types.ts";
import { RETENTION_MS } from "./sqlite-log.ts";
import { JOB_LANE } from "./worker.ts";

export interface OpenQueueOptions {
  readonly natsUrl: string | undefined;
  readonly capacity: number;
  readonly dataDir: string;
  readonly clock: ServiceClock;
  readonly logger: Logger;
}

/** The durable queue of the jobs: embedded, or on a NATS server. */
export async function openJobQueue(options: OpenQueueOptions): Promise<DurableQueue> {
  return new SqliteQueue({
    file: join(options.dataDir, "jobs.sqlite"),
    lanes: [JOB_LANE],
    laneCapacity: options.capacity,
    dedupWindowMs: RETENTION_MS,
    dedupKeys: 100_000,
    deadCapacity: 10_000,
    nowMs: () => options.clock.wallMs(),
    onQuarantine: (setAside, reason) =>
      options.logger.error(
        { set_aside: setAside, reason },
        "damaged job queue set aside, starting with an empty one",
      ),
  });
}
