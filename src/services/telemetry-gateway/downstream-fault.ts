import type { FaultMode, InjectionTime } from "../kit/faults/fault-mode.ts";
import { constantRamp, type Ramp, rampAt, steerTo } from "../kit/faults/ramp.ts";
import { ShareSelector } from "../kit/faults/share.ts";
import type { Answer } from "../kit/ledger.ts";
import type { Parameter, ParameterValues } from "../kit/parameters.ts";
import { isRegion, REGIONS, type Region } from "./regions.ts";

/** A share of one region's downstream writes fails; a later call for the region replaces the share. */
export class DownstreamFault implements FaultMode {
  readonly mode = "downstream";
  readonly parameters: readonly Parameter[] = [
    { name: "region", type: "choice", oneOf: REGIONS },
    { name: "ratio", type: "number", unit: "", min: 0, aboveMin: true, max: 1 },
  ];
  readonly #regions = new Map<Region, { ramp: Ramp; readonly selector: ShareSelector }>();

  inject(values: ParameterValues, time: InjectionTime): Answer {
    const region = values.choice("region");
    if (!isRegion(region)) throw new TypeError(`there is no region ${region}`);
    const present = this.#regions.get(region) ?? { ramp: constantRamp(0), selector: new ShareSelector() };
    present.ramp = steerTo(present.ramp, { to: values.number("ratio"), ...time });
    this.#regions.set(region, present);
    return { region, downstream_ratio: present.ramp.to };
  }

  /** Whether the write of one message at `nowMs` (monotonic) fails. */
  strikes(region: Region, nowMs: number): boolean {
    const fault = this.#regions.get(region);
    return fault?.selector.pick(rampAt(fault.ramp, nowMs)) ?? false;
  }

  clear(): boolean {
    const active = this.#regions.size > 0;
    this.#regions.clear();
    return active;
  }

  describe(nowMs: number): Answer | undefined {
    if (this.#regions.size === 0) return undefined;
    return Object.fromEntries([...this.#regions].map(([region, { ramp }]) => [region, rampAt(ramp, nowMs)]));
  }
}
