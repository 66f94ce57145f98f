import { endsByItself, numberAbove0, regionOrAll, sameRegion, seconds } from "../shared/parameters.ts";
import { serviceAction } from "../shared/service.ts";

export const setRateLimit = serviceAction({
  kind: "set-rate-limit",
  docs: {
    summary: "limits the messages taken in, of one region or of each",
    example: { region: "us-east-1", per_second: "20", seconds: "900" },
  },
  parameters: {
    region: regionOrAll,
    per_second: { required: true, check: numberAbove0("messages a second", 1_000_000) },
    seconds,
  },
  undo: (given) => ({ kind: "reset-rate-limit", parameters: sameRegion(given) }),
  expiresMs: endsByItself,
  answer: { region: "us-east-1", per_second: 20, seconds: 900 },
});
