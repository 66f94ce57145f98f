import type { RequestHandler } from "express";
import type { Registry } from "prom-client";
import type { ServiceClock } from "./clock.ts";
import type { HeldScrape } from "./faults/blackout.ts";
import type { FaultSet } from "./faults/fault-set.ts";

/** `/metrics`. Scrapes that arrive while one is being rendered share its text, so that a flood costs one rendering. */
export function scrapeHandler(options: {
  readonly registry: Registry;
  readonly faults: FaultSet;
  readonly clock: ServiceClock;
}): RequestHandler {
  const { registry, faults, clock } = options;
  let rendering: Promise<string> | undefined;
  const render = (): Promise<string> => {
    rendering ??= registry.metrics().finally(() => {
      rendering = undefined;
    });
    return rendering;
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
