import { applyCalendar } from "../../guards/index.ts";
import { createPause } from "../../guards/pause.ts";
import { addSilence, liftSilence } from "../../guards/silence.ts";
import type { GuardState } from "../../guards/types.ts";
import type { Pause, Silence } from "../../kernel/guards.ts";
import { acknowledge, resumeTarget } from "../../verify/index.ts";
import type { HealingState } from "../../verify/types.ts";
import { saveHealing } from "../healing/state.ts";
import type { LoopState } from "../state.ts";
import type { LoopPorts } from "../types.ts";
import { saveBrakes } from "./state.ts";

/** Who says so, and why: both go into the log. */
export interface Said {
  readonly by: string;
  readonly reason: string;
}

/**
 * What people may say while the monitor runs. It is in force at once, also for a call that is about to be made, and on
 * disk when the method returns. @throws StoreError when it is in force but not on disk.
 */
export interface Controls {
  /** Nothing new is done, for `forMs` or until it is resumed. */
  pause(said: Said & { readonly forMs?: number }): Pause;
  /** False when it was not paused. */
  resume(said: Said): boolean;
  /** Undefined when there is no room for another. */
  silence(silence: Omit<Silence, "id">): Silence | undefined;
  /** False when there is none of that id. */
  liftSilence(id: string, said: Said): boolean;
  /**
   * To an escalation: go on acting, or leave it stopped (for `forMs`, or until somebody says to go on).
   * False when the target is not escalated.
   */
  answerEscalation(
    said: Said & { readonly target: string; readonly resumeTarget: boolean; readonly forMs?: number },
  ): boolean;
  /** What is remembered of actions and what they came to, for showing. */
  readonly healing: HealingState;
  /** The guards' memory, for showing. */
  readonly guards: GuardState;
}

export function createControls(ports: LoopPorts, state: () => LoopState): Controls {
  const change = (next: (guards: GuardState) => GuardState): void => {
    const { brakes, settings } = state();
    brakes.guards = applyCalendar(next(brakes.guards), settings.guards, ports.clock.now());
  };
  const keep = () => saveBrakes(state().brakes, ports);
  const tell = (event: string, fields: Readonly<Record<string, string | number>>) =>
    ports.reporter.notice(event, fields);
  return {
    get guards() {
      return state().brakes.guards;
    },
    get healing() {
      return state().healing.state;
    },
    answerEscalation({ target, by, reason, resumeTarget: further, forMs }) {
      const { healing } = state();
      const now = ports.clock.now();
      const next = further
        ? resumeTarget(healing.state, { target, by, reason }, now)?.state
        : acknowledge(healing.state, { target, by, reason, forMs }, now);
      if (next === undefined) return false;
      healing.state = next;
      tell("escalation answered", { target, by, reason, answer: further ? "go on" : "stay stopped" });
      saveHealing(healing, ports);
      return true;
    },
    pause({ by, reason, forMs }) {
      const pause = createPause({ by, reason, forMs }, ports.clock.now());
      change((guards) => ({ ...guards, pause }));
      tell("acting paused", { by, reason, ...(forMs === undefined ? {} : { for_seconds: forMs / 1000 }) });
      keep();
      return pause;
    },
    resume({ by, reason }) {
      if (state().brakes.guards.pause === undefined) return false;
      change(({ pause: _over, ...rest }) => rest);
      tell("acting resumed", { by, reason });
      keep();
      return true;
    },
    silence(given) {
      const silence: Silence = { ...given, id: ports.newId() };
      const silences = addSilence(state().brakes.guards.silences, silence, ports.clock.now());
      if (silences === undefined) return undefined;
      change((guards) => ({ ...guards, silences }));
      const { target, signal, action, author: by, reason } = silence;
      tell("silence added", { id: silence.id, target, signal, action, by, reason });
      keep();
      return silence;
    },
    liftSilence(id, { by, reason }) {
      const before = state().brakes.guards.silences;
      if (!before.some((s) => s.id === id)) return false;
      change((guards) => ({ ...guards, silences: liftSilence(before, id) }));
      tell("silence lifted", { id, by, reason });
      keep();
      return true;
    },
  };
}
