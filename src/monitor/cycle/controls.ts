import { addSilence, liftSilence } from "../guards/calendar/calendar.ts";
import type { GuardState } from "../guards/guard.ts";
import { createPause } from "../guards/pause/index.ts";
import type { Pause, Silence } from "../kernel/guards.ts";
import type { VerificationState } from "../verify/types.ts";
import { changeGuards, saveAdmission } from "./admit.ts";
import { addRequest } from "./propose.ts";
import type { LoopState, Request } from "./state.ts";
import type { LoopPorts } from "./types.ts";
import { answerEscalation, saveVerification } from "./verify.ts";

/** Who says so, and why: both go into the log. */
interface Said {
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
  /**
   * In the next cycle a playbook is carried out, or the mitigation of a target, unless a guard holds it: what became of it
   * is in that cycle's report. Refused: there is no such target or playbook, or nothing is stated to heal the target.
   */
  request(wish: Said & { readonly target: string; readonly playbook?: string }): Request | RequestRefusal;
  /** What is remembered of actions and what they came to, for showing. */
  readonly verification: VerificationState;
  /** The guards' memory, for showing. */
  readonly guards: GuardState;
}

/** Why a person's wish cannot be one. */
type RequestRefusal = "unknown" | "watched_only";

export function createControls(ports: LoopPorts, state: () => LoopState): Controls {
  const guards = () => state().admit.guards;
  const change = (next: (guards: GuardState) => GuardState) => changeGuards(state(), next, ports.clock.now());
  const keep = () => saveAdmission(state(), ports);
  const notice = (event: string, fields: Readonly<Record<string, string | number>>) =>
    ports.reporter.notice(event, fields);
  return {
    get guards() {
      return guards();
    },
    get verification() {
      return state().verify.state;
    },
    request({ target, by, reason, ...asked }) {
      const { settings, configured } = state();
      const on = configured.get(target);
      const { mitigation } = on ?? {};
      const stated = mitigation !== undefined && "playbook" in mitigation ? mitigation.playbook : undefined;
      const playbook = asked.playbook ?? stated;
      if (playbook === undefined) {
        if (on === undefined) return "unknown";
        if (mitigation === undefined) return "watched_only";
      } else if (!settings.playbooks.some(({ name }) => name === playbook)) return "unknown";
      const named: { playbook?: string } = playbook === undefined ? {} : { playbook };
      const wish: Request = { id: ports.newId(), target, ...named, by, reason, at: ports.clock.now() };
      addRequest(state(), wish);
      notice("action requested", { id: wish.id, target, playbook: playbook ?? "mitigate", by, reason });
      return wish;
    },
    answerEscalation(said) {
      if (!answerEscalation(state(), said, ports.clock.now())) return false;
      const { target, by, reason } = said;
      const answer = said.resumeTarget ? "go on" : "stay stopped";
      notice("escalation answered", { target, by, reason, answer });
      saveVerification(state(), ports);
      return true;
    },
    pause({ by, reason, forMs }) {
      const pause = createPause({ by, reason, forMs }, ports.clock.now());
      change((before) => ({ ...before, pause }));
      notice("acting paused", { by, reason, ...(forMs === undefined ? {} : { for_seconds: forMs / 1000 }) });
      keep();
      return pause;
    },
    resume({ by, reason }) {
      if (guards().pause === undefined) return false;
      change(({ pause: _over, ...rest }) => rest);
      notice("acting resumed", { by, reason });
      keep();
      return true;
    },
    silence(given) {
      const silence: Silence = { ...given, id: ports.newId() };
      const silences = addSilence(guards().silences, silence, ports.clock.now());
      if (silences === undefined) return undefined;
      change((before) => ({ ...before, silences }));
      const { target, signal, action, author: by, reason } = silence;
      notice("silence added", { id: silence.id, target, signal, action, by, reason });
      keep();
      return silence;
    },
    liftSilence(id, { by, reason }) {
      const before = guards().silences;
      if (!before.some((s) => s.id === id)) return false;
      change((now) => ({ ...now, silences: liftSilence(before, id) }));
      notice("silence lifted", { id, by, reason });
      keep();
      return true;
    },
  };
}
