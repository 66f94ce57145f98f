import type { RequestHandler } from "express";
import type { Registry } from "prom-client";
import { sharedText } from "../../common/telemetry/shared-text.ts";
import type { ServiceClock } from "./clock.ts";
import type { HeldScrape } from "./faults/blackout.ts";
import type { FaultSet } from "./faults/fault-set.ts";

/** Renderings a second that a flood of scrapes can cost; beyond, scrapes share the last text. */
const MAX_RENDERINGS_PER_SECOND = 20;

/** `/metrics`. */
export function scrapeHandler(options: {
  readonly registry: Registry;
  readonly faults: FaultSet;
  readonly clock: ServiceClock;
}): RequestHandler {
  const { registry, faults, clock } = options;
  const text = sharedText({
    render: () => registry.metrics(),
    perSecond: MAX_RENDERINGS_PER_SECOND,
    monoMs: () => clock.monoMs(),
  });
  return async (_request, response, next) => {
    const answer = async () => {
      const page = await text();
      if (!response.destroyed) response.type(registry.contentType).send(page);
    };
    const scrape: HeldScrape = {
      answer: () => void answer().catch(next),
      drop: () => void response.destroy(),
    };
    if (!faults.blackout.hold(scrape, clock.monoMs())) await answer();
    else response.once("close", () => faults.blackout.forget(scrape));
  };
}
