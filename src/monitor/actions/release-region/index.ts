import { region } from "../shared/parameters.ts";
import { serviceAction } from "../shared/service.ts";

export const releaseRegion = serviceAction({
  kind: "release-region",
  docs: { summary: "ends the isolation of a region before its time", example: { region: "us-east-1" } },
  parameters: { region },
  answer: { region: "us-east-1", was_isolated: true },
});
