export { chooseRegion, type NoRegion, type RegionChoice, type RegionRule } from "./choose.ts";
export { createRegionHistory, observeParts, type RegionHistory } from "./history.ts";
export type { RegionNumbers } from "./view.ts";
