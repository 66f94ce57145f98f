import type { Drill } from "../drill.ts";
import { comparedGoal, healedGoal, seconds } from "../goal.ts";
import type { Pace } from "../pace.ts";
import { SLO_QUEUE } from "../slo.ts";
import { REGIONS } from "../traffic.ts";

const FLOODED = "us-east-1";
/** Messages a second of a region on an ordinary day, and what the gateway can deliver of all of them; at speed 30. */
const ORDINARY = 1;
const DELIVERED = 23;
/** The first wave takes this share of what the gateway has to spare. */
const FIRST_WAVE = 0.9;
/** What comes on top of it, messages a second at speed 30: twice as much every so often (seconds of a real installation). */
const NEXT = 1;
const DOUBLING_S = 240;
/** All devices are faulty: the flood grows no further. */
const LARGEST = 600;
/** How often the rate follows, seconds. */
const STEP_S = 0.25;
/** How much shorter the longest queue is to be. */
const SHORTER = 160;

/** Whole messages a second: the gateway takes no other rate. */
const deliveredAt = (pace: Pace) => Math.ceil(pace.rate(DELIVERED));

/** Messages a second that faulty devices add, `elapsedS` after the onset. */
function floodAt(pace: Pace, elapsedS: number): number {
  const spare = deliveredAt(pace) - REGIONS.length * pace.rate(ORDINARY);
  const more = NEXT * 2 ** (elapsedS / pace.s(DOUBLING_S));
  return FIRST_WAVE * spare + pace.rate(Math.min(LARGEST, more));
}

/** One region's devices take a faulty release, in doubling waves, and publish far more than the gateway can deliver. */
export const mqttBackpressure: Drill = {
  name: "mqtt-backpressure",
  title: "one region floods the gateway with more than it can deliver",
  level: () => ({
    title: "messages waiting in the gateway",
    unit: "messages",
    slo: SLO_QUEUE,
    contained: "peak",
  }),
  services: ["product-api", "telemetry-gateway"],
  surroundings: {},
  targets: ["telemetry-gateway"],
  extraHeals: ["alerts"],
  quietS: 750,
  incidentS: 2580,
  telemetryRate: ORDINARY,
  env: (pace) => ({ GATEWAY_CONSUME_RATE: String(deliveredAt(pace)) }),
  // On alerts alone no forecast may speak.
  signals: (heal): Record<string, Record<string, unknown>> =>
    heal === "alerts" ? { "telemetry-gateway": { backlog: { linear: false, trend: false } } } : {},
  async incident({ fleets, pace, after }) {
    const beganMs = performance.now();
    const flood = () => {
      const elapsedS = (performance.now() - beganMs) / 1_000;
      fleets.get(FLOODED)?.setRate(pace.rate(ORDINARY) + floodAt(pace, elapsedS));
      after(STEP_S, flood);
    };
    flood();
  },
  meter: (instruments) => () => instruments.queue(),
  goals: (results) => [
    ...comparedGoal(results, `longest queue at least ${SHORTER} times shorter`, (healed, unhealed) => {
      const [with_, without] = [healed.figures.maxQueue, unhealed.figures.maxQueue];
      if (with_ === undefined || without === undefined) return { came: "not known", reached: false };
      const times = without / Math.max(1, with_);
      return { came: `${without} → ${with_}, ${times.toFixed(0)} times`, reached: times >= SHORTER };
    }),
    ...healedGoal(results, "0 s above the SLO after containment", ({ figures }) => ({
      came: seconds(figures.secondsAboveAfter),
      reached: figures.secondsAboveAfter === 0,
    })),
    ...healedGoal(results, "containment begins before the queue passes its SLO", ({ figures }) => ({
      came: `queue ${figures.queueAtDetection ?? "not known"} at detection, longest ${figures.maxQueue ?? "not known"}`,
      reached:
        figures.queueAtDetection !== undefined &&
        figures.queueAtDetection <= SLO_QUEUE &&
        figures.maxQueue !== undefined &&
        figures.maxQueue <= SLO_QUEUE,
    })),
  ],
};
