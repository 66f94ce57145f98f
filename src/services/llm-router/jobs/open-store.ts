import { join } from "node:path";
import type { Logger } from "pino";
import type { ServiceClock } from "../../kit/clock.ts";
import { JetStreamQueue } from "../../queue/jetstream-queue.ts";
import { SqliteQueue } from "../../queue/sqlite-queue.ts";
import type { DurableQueue } from "../../queue/types.ts";
import { NatsJobLog } from "./nats-log.ts";
import { SqliteJobLog } from "./sqlite-log.ts";
import { type JobLog, RETENTION_MS } from "./types.ts";
import { JOB_LANE } from "./worker.ts";

export interface OpenStoreOptions {
  /** Undefined: embedded databases under `dataDir`. */
  readonly natsUrl: string | undefined;
  /** Jobs that may wait. */
  readonly capacity: number;
  readonly dataDir: string;
  readonly clock: ServiceClock;
  readonly logger: Logger;
}

/** Where the jobs are: what waits, and what happened. */
export interface JobStore {
  readonly queue: DurableQueue;
  readonly log: JobLog;
  close(): Promise<void>;
}

/** Opens queue and log of the jobs on one engine: embedded, or a NATS server that several routers share. */
export async function openJobStore(options: OpenStoreOptions): Promise<JobStore> {
  const { natsUrl: url, logger } = options;
  if (url === undefined) return embedded(options);
  const queue = await JetStreamQueue.open({
    url,
    name: "llm-jobs",
    lanes: [JOB_LANE],
    laneCapacity: options.capacity,
    dedupWindowMs: RETENTION_MS,
    logger,
  });
  const log = await NatsJobLog.open({ url, nowMs: () => options.clock.wallMs(), logger });
  return { queue, log, close: () => closeBoth(queue, log) };
}

function embedded({ dataDir, clock, capacity, logger }: OpenStoreOptions): JobStore {
  const nowMs = () => clock.wallMs();
  const queue = new SqliteQueue({
    file: join(dataDir, "jobs.sqlite"),
    lanes: [JOB_LANE],
    laneCapacity: capacity,
    dedupWindowMs: RETENTION_MS,
    dedupKeys: 100_000,
    deadCapacity: 10_000,
    nowMs,
    onQuarantine: (setAside, reason) =>
      logger.error(
        { set_aside: setAside, reason },
        "damaged job queue set aside, starting with an empty one",
      ),
  });
  try {
    const log = new SqliteJobLog({
      file: join(dataDir, "job-log.sqlite"),
      nowMs,
      onQuarantine: (setAside, reason) =>
        logger.error(
          { set_aside: setAside, reason },
          "damaged job log set aside, starting with an empty one",
        ),
    });
    return { queue, log, close: () => closeBoth(queue, log) };
  } catch (error) {
    void queue.close();
    throw error;
  }
}

async function closeBoth(queue: DurableQueue, log: JobLog): Promise<void> {
  await queue.close();
  await log.close();
}
