import { endsByItself, region, sameRegion, seconds } from "../shared/parameters.ts";
import { serviceAction } from "../shared/service.ts";

export const isolateRegion = serviceAction({
  kind: "isolate-region",
  docs: { summary: "takes nothing in of one region", example: { region: "us-east-1", seconds: "900" } },
  parameters: { region, seconds },
  undo: (given) => ({ kind: "release-region", parameters: sameRegion(given) }),
  expiresMs: endsByItself,
  answer: { region: "us-east-1", seconds: 900 },
});
