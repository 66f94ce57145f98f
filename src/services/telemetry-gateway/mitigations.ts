import { HttpError } from "../kit/errors.ts";
import type { Mitigation } from "../kit/mitigation.ts";
import type { NumberParameter, Parameter } from "../kit/parameters.ts";
import { type DurableQueue, QueueUnavailableError } from "../queue/types.ts";
import type { RegionControls } from "./controls.ts";
import { isRegion, REGIONS, type Region } from "./regions.ts";

/** What the gateway's actions act on. */
export interface Controlled {
  readonly queue: DurableQueue;
  readonly controls: RegionControls;
}

const REGION: Parameter = { name: "region", type: "choice", oneOf: REGIONS };
/** Without it, or with this word, a call is about every region. */
const ALL = "all";
const REGION_OR_ALL: Parameter = { name: "region", type: "choice", oneOf: [...REGIONS, ALL], optional: true };
const SECONDS: NumberParameter = {
  name: "seconds",
  type: "number",
  unit: "seconds",
  min: 0,
  aboveMin: true,
  max: 86_400,
};
const DEFAULT_REPLAY = 1_000;

/** Actions of the admin plane; `parts` is asked when a call comes. */
export function gatewayMitigations(parts: () => Controlled): readonly Mitigation[] {
  return [
    {
      action: "set-rate-limit",
      parameters: [
        REGION_OR_ALL,
        { name: "per_second", type: "number", unit: "messages", min: 0, aboveMin: true, max: 1_000_000 },
        SECONDS,
      ],
      run(values) {
        const region = values.optionalChoice("region") ?? ALL;
        const perSecond = values.number("per_second");
        const seconds = values.number("seconds");
        if (region === ALL) parts().controls.limitAll(perSecond, seconds);
        else parts().controls.limit(regionOf(region), perSecond, seconds);
        return { action: "set-rate-limit", region, per_second: perSecond, seconds };
      },
    },
    {
      action: "reset-rate-limit",
      parameters: [REGION_OR_ALL],
      run(values) {
        const region = values.optionalChoice("region") ?? ALL;
        const reset = parts().controls.resetLimits(region === ALL ? REGIONS : [regionOf(region)]);
        return { action: "reset-rate-limit", region, reset };
      },
    },
    {
      action: "isolate-region",
      parameters: [REGION, SECONDS],
      run(values) {
        const region = regionOf(values.choice("region"));
        const seconds = values.number("seconds");
        parts().controls.isolate(region, seconds);
        return { action: "isolate-region", region, seconds };
      },
    },
    {
      action: "release-region",
      parameters: [REGION],
      run(values) {
        const region = regionOf(values.choice("region"));
        return { action: "release-region", region, was_isolated: parts().controls.release(region) };
      },
    },
    {
      action: "replay-dead-letters",
      parameters: [
        { ...REGION, optional: true },
        {
          name: "limit",
          type: "number",
          unit: "dead letters",
          min: 1,
          max: 10_000,
          integer: true,
          optional: true,
        },
      ],
      async run(values) {
        const region = values.optionalChoice("region");
        const limit = values.optionalNumber("limit") ?? DEFAULT_REPLAY;
        try {
          let replayed = 0;
          // Letters without a region stay: there is nobody to deliver them to.
          for (const lane of region === undefined ? REGIONS : [region]) {
            if (replayed < limit) replayed += await parts().queue.replay({ lane, limit: limit - replayed });
          }
          return { action: "replay-dead-letters", replayed };
        } catch (error) {
          if (!(error instanceof QueueUnavailableError)) throw error;
          throw new HttpError(503, { error: error.message, applied: false });
        }
      },
    },
  ];
}

function regionOf(name: string): Region {
  if (!isRegion(name)) throw new TypeError(`there is no region ${name}`);
  return name;
}
