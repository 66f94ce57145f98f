export { chooseRegion, type RegionChoice } from "./choose.ts";
export { createRegionHistory, observeParts, type RegionHistory } from "./history.ts";
