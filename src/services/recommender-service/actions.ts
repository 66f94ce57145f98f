import type { Mitigation } from "../kit/mitigation.ts";
import type { NumberParameter } from "../kit/parameters.ts";
import type { Recommender } from "./recommender.ts";
import { MAX_HOLD_SECONDS } from "./state/timed-hold.ts";

const SECONDS: NumberParameter = {
  name: "seconds",
  type: "number",
  unit: "seconds",
  min: 0,
  aboveMin: true,
  max: MAX_HOLD_SECONDS,
};

/** What the control plane can do to the recommender, as `POST /admin/mitigate?action=NAME&…`. */
export function recommenderActions(recommender: () => Recommender): readonly Mitigation[] {
  return [
    {
      action: "force-fallback",
      parameters: [SECONDS],
      run: (values) => {
        const { forcedFallback, engine } = recommender();
        const { durable } = forcedFallback.start(values.number("seconds"));
        return {
          forced_fallback: true,
          seconds: values.number("seconds"),
          survives_restart: durable,
          model_version: engine.serving().version,
        };
      },
    },
    {
      action: "release-fallback",
      parameters: [],
      run: () => {
        const { forcedFallback, engine } = recommender();
        const { wasActive, durable } = forcedFallback.release();
        return {
          forced_fallback: false,
          was_forced: wasActive,
          survives_restart: durable,
          model_version: engine.serving().version,
        };
      },
    },
    {
      action: "pause-stream",
      parameters: [SECONDS],
      run: (values) => {
        const { durable } = recommender().streamPause.start(values.number("seconds"));
        return { stream_paused: true, seconds: values.number("seconds"), survives_restart: durable };
      },
    },
    {
      action: "resume-stream",
      parameters: [],
      run: () => {
        const { wasActive, durable } = recommender().streamPause.release();
        return { stream_paused: false, was_paused: wasActive, survives_restart: durable };
      },
    },
    { action: "retrain", parameters: [], run: () => recommender().retrain() },
  ];
}
