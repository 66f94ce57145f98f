import type { Loop } from "../../../monitor/cycle/tick.ts";
import type { TickReport } from "../../../monitor/cycle/types.ts";
import type { Plant } from "./types.ts";

/** A loop with some of its methods replaced; what it shows of itself stays alive. */
function changed(loop: Loop, by: Partial<Pick<Loop, "ingestAlerts" | "controls" | "tick">>): Loop {
  return {
    start: () => loop.start(),
    tick: by.tick ?? (() => loop.tick()),
    ingestAlerts: by.ingestAlerts ?? ((alerts) => loop.ingestAlerts(alerts)),
    get controls() {
      return by.controls ?? loop.controls;
    },
    get containment() {
      return loop.containment;
    },
    reconfigure: (...given) => loop.reconfigure(...given),
    stopActing: () => loop.stopActing(),
    get settings() {
      return loop.settings;
    },
  };
}

function controls(loop: Loop, by: Partial<Loop["controls"]>): Loop["controls"] {
  const { controls: own } = loop;
  return {
    pause: by.pause ?? ((said) => own.pause(said)),
    resume: (said) => own.resume(said),
    request: (wish) => own.request(wish),
    silence: by.silence ?? ((silence) => own.silence(silence)),
    liftSilence: (id, said) => own.liftSilence(id, said),
    answerEscalation: (said) => own.answerEscalation(said),
    get verification() {
      return own.verification;
    },
    get guards() {
      return own.guards;
    },
  };
}

const report = (name: string, about: string, change: (report: TickReport) => TickReport): Plant => ({
  name,
  about,
  breaks: [4],
  reporter: (reporter) => ({ ...reporter, cycle: (r) => reporter.cycle(change(r)) }),
});

/** Bugs of what stands around the loop: its clock, its door, its reports, its people. */
export const LOOP_PLANTS: readonly Plant[] = [
  {
    name: "cooldown_by_wall_clock",
    about: "durations are measured on the wall clock",
    breaks: [1, 2, 4, 5, 6],
    clock: (clock) => ({
      bootId: clock.bootId,
      now() {
        const { wallMs } = clock.now();
        return { wallMs, monoMs: wallMs };
      },
    }),
  },
  {
    name: "deadlines_never_pass",
    about: "whatever hangs is waited for without end",
    breaks: [4, 7],
    deadline: () => () => new AbortController().signal,
  },
  {
    name: "ids_run_out",
    about: "intents get ids that were used before",
    breaks: [3, 7],
    newId(newId) {
      const used: string[] = [];
      return () => {
        if (used.length < 2) used.push(newId());
        return used.at(-1) as string;
      };
    },
  },
  {
    name: "forged_alerts_accepted",
    about: "anybody may tell of an alert",
    breaks: [2],
    open: true,
  },
  {
    name: "ends_not_heard",
    about: "that an alert has ended is answered and forgotten",
    breaks: [5],
    loop: (loop) =>
      changed(loop, {
        ingestAlerts: (alerts) => loop.ingestAlerts(alerts.filter((a) => a.status === "firing")),
      }),
  },
  {
    name: "pause_ignored",
    about: "a pause is answered and forgotten",
    breaks: [5],
    loop: (loop) =>
      changed(loop, {
        controls: controls(loop, {
          pause: ({ by, reason }) => ({ by, reason, since: { wallMs: 0, monoMs: 0 } }),
        }),
      }),
  },
  {
    name: "silence_ignored",
    about: "a silence is answered and forgotten",
    breaks: [5],
    loop: (loop) => changed(loop, { controls: controls(loop, { silence: (s) => ({ ...s, id: "none" }) }) }),
  },
  {
    name: "answers_itself",
    about: "it ends every escalation by itself",
    breaks: [6],
    loop: (loop) =>
      changed(loop, {
        async tick() {
          for (const [target, record] of Object.entries(loop.controls.verification.targets))
            if (record.escalation !== undefined)
              loop.controls.answerEscalation({ target, by: "nobody", reason: "", resumeTarget: true });
          return loop.tick();
        },
      }),
  },
  {
    name: "nobody_called",
    about: "an escalation is told to nobody",
    breaks: [6],
    notifier: (notifier) => ({
      ...notifier,
      notify: async () => ({ status: "delivered" }),
    }),
  },
  report("quiet_decisions_dropped", "only decisions to act are reported", (r) => ({
    ...r,
    decisions: r.decisions.filter((d) => d.act),
    observations: r.observations.filter((_, i) => r.decisions[i]?.act === true),
  })),
  report("reason_blank", "a hold is reported without its reason", (r) => ({
    ...r,
    decisions: r.decisions.map((d) => (d.reason === "cooldown_active" ? { ...d, reason: "below_slo" } : d)),
  })),
  report("until_in_the_past", "a hold is told to have ended already", (r) => ({
    ...r,
    decisions: r.decisions.map((d) =>
      d.untilMs === undefined ? d : { ...d, untilMs: r.at.wallMs - 60_000 },
    ),
  })),
  report("actions_not_reported", "actions are missing from the report", (r) => ({ ...r, actions: [] })),
];
