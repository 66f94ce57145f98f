import type { Logger } from "pino";
import type { Loop } from "../cycle/tick.ts";
import { fits } from "../guards/calendar/matcher.ts";
import type { Silence } from "../kernel/guards.ts";
import { StoreError } from "../kernel/store.ts";
import type { Clock } from "../kernel/time.ts";
import { pauseFields, silenceFields } from "../report/guard-status.ts";
import type { Silence as ListedSilence } from "../report/wire.ts";
import type { ControlsApi, Done } from "../web/controls.ts";

/** What the endpoints of people ask of the monitor: the loop's controls, and whether what they did is on disk. */
export function controlsApi(options: {
  readonly loop: Pick<Loop, "controls" | "settings">;
  readonly clock: Clock;
  readonly logger: Logger;
}): ControlsApi {
  const { loop, clock, logger } = options;
  const { controls } = loop;
  /** A disk that takes nothing does not stop what a person said: it is in force, and the answer says the rest. */
  const notPersisted = (error: unknown): string => {
    if (!(error instanceof StoreError)) throw error;
    logger.error({ error: error.message }, "operator command applied, not persisted");
    return error.message;
  };
  const attempt = <T>(run: () => T, inForce: () => T): Done<T> => {
    try {
      return { result: run(), notPersisted: undefined };
    } catch (error) {
      return { notPersisted: notPersisted(error), result: inForce() };
    }
  };
  const shown = (silence: Silence, source: "person" | "configuration"): ListedSilence => ({
    ...silenceFields(silence),
    source,
    matches: loop.settings.targets.filter((t) => fits(silence.target, t.name)).map((t) => t.name),
  });
  return {
    nowMs: () => clock.now().wallMs,
    pause({ author, reason, forMs }) {
      const done = attempt(
        () => controls.pause({ by: author, reason, ...(forMs === undefined ? {} : { forMs }) }),
        () => controls.guards.pause,
      );
      return { ...done, result: done.result && pauseFields(done.result) };
    },
    resume: ({ author, reason }) =>
      attempt(
        () => controls.resume({ by: author, reason }),
        () => true,
      ),
    silences: () => [
      ...controls.guards.silences.map((s) => shown(s, "person")),
      ...loop.settings.guards.silences.map((s) => shown(s, "configuration")),
    ],
    silence(asked) {
      const done = attempt(
        () => controls.silence(asked),
        () => controls.guards.silences.at(-1),
      );
      return { ...done, result: done.result && shown(done.result, "person") };
    },
    liftSilence(id, { author, reason }) {
      const done = attempt(
        () => controls.liftSilence(id, { by: author, reason }),
        () => true,
      );
      if (done.result) return { ...done, result: "lifted" };
      const configured = loop.settings.guards.silences.some((s) => s.id === id);
      return { ...done, result: configured ? "configured" : "unknown" };
    },
    acknowledge: ({ author, reason, target, resume, forMs }) =>
      attempt(
        () =>
          controls.answerEscalation({
            by: author,
            reason,
            target,
            resumeTarget: resume,
            ...(forMs === undefined ? {} : { forMs }),
          }),
        () => true,
      ),
    request({ author, reason, target, playbook }) {
      const named = playbook === undefined ? {} : { playbook };
      const wish = controls.request({ by: author, reason, target, ...named });
      if (typeof wish === "string") return wish;
      return { id: wish.id, target, playbook: wish.playbook ?? null, by: author, reason };
    },
  };
}
