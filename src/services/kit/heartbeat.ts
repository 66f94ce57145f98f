import type { Logger } from "pino";
import type { ServiceClock } from "./clock.ts";

/** Less than half of the 10 minutes without a line that raise an alert: one lost line raises none. */
const HEARTBEAT_MS = 240_000;

/** Writes a line every four minutes, so that silence in the log means something. Answers how to stop it. */
export function beatRegularly({
  logger,
  clock,
}: {
  readonly logger: Logger;
  readonly clock: ServiceClock;
}): () => void {
  const startMs = clock.monoMs();
  const timer = setInterval(() => {
    logger.info({ uptime_seconds: Math.round((clock.monoMs() - startMs) / 1_000) }, "service at work");
  }, HEARTBEAT_MS);
  timer.unref();
  return () => clearInterval(timer);
}
