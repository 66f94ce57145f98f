import type { Logger } from "pino";
import type { RefusalEvent } from "../../common/security/gate.ts";

/** Audit lines of callers that the monitor's endpoints did not let in. Neither a token nor a guess is ever in them. */
export function logRejectedCalls(logger: Logger): (event: RefusalEvent) => void {
  return (event) => {
    const { address: remote, count } = event;
    if (event.kind === "locked_out")
      logger.warn({ remote, refusals: count, wait_seconds: event.waitSeconds }, "api address locked out");
    else if (event.kind === "lockout_ended") logger.info({ remote, refusals: count }, "api lockout ended");
    else if (event.reason === "repeated") logger.warn({ remote, refusals: count }, "api calls refused");
    else logger.warn({ remote, reason: event.reason }, "api call refused");
  };
}
