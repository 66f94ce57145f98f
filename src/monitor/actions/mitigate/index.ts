import { serviceAction } from "../shared/service.ts";

export const mitigate = serviceAction({
  kind: "mitigate",
  docs: {
    summary: "frees what the service holds and ends injected faults: the plain mitigation",
    example: {},
  },
  parameters: {},
  answer: { reset_latency: true, freed_chunks: 1 },
});
