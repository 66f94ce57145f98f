import type { RequestHandler } from "express";
import type { Registry } from "prom-client";
import type { ServiceClock } from "./clock.ts";
import type { HeldScrape } from "./faults/blackout.ts";
import type { FaultSet } from "./faults/fault-set.ts";

/** Renderings a second that a flood of scrapes can cost; as many may come at once after a calm second. */
export const MAX_RENDERINGS_PER_SECOND = 20;

/**
 * `/metrics`. Every scrape is rendered afresh, except in a flood: beyond 20 renderings a second, scrapes share the last
 * text, so that they cannot starve the service's own requests.
 */
export function scrapeHandler(options: {
  readonly registry: Registry;
  readonly faults: FaultSet;
  readonly clock: ServiceClock;
}): RequestHandler {
  const { registry, faults, clock } = options;
  let last: Promise<string> | undefined;
  let allowed = MAX_RENDERINGS_PER_SECOND;
  let countedMs = clock.monoMs();
  const render = (): Promise<string> => {
    const nowMs = clock.monoMs();
    const earned = ((nowMs - countedMs) / 1_000) * MAX_RENDERINGS_PER_SECOND;
    allowed = Math.min(MAX_RENDERINGS_PER_SECOND, allowed + earned);
    countedMs = nowMs;
    if (last === undefined || allowed >= 1) {
      allowed -= 1;
      last = registry.metrics();
    }
    return last;
  };
  return async (_request, response, next) => {
    const answer = async () => {
      const text = await render();
      if (!response.destroyed) response.type(registry.contentType).send(text);
    };
    const scrape: HeldScrape = {
      answer: () => void answer().catch(next),
      drop: () => void response.destroy(),
    };
    if (!faults.blackout.hold(scrape, clock.monoMs())) await answer();
    else response.once("close", () => faults.blackout.forget(scrape));
  };
}
