import type { Playbook } from "../../../monitor/kernel/containment.ts";
import type { FaultEvent, Scenario } from "../scenario.ts";
import type { Change, Director, Special } from "./director.ts";
import type { Site } from "./site.ts";

const MINUTE = 60_000;

/** A person's word to the main monitor: said again until it is taken, or until `untilMs`. */
function say(director: Director, event: FaultEvent, word: (site: Site) => boolean | undefined): void {
  const { world, main } = director;
  if (world.time.now > event.atMs + event.forMs + 5 * MINUTE) return;
  const again = () => director.later(20_000, () => say(director, event, word));
  try {
    if (main.loop === undefined || word(main) === false) again();
    else director.struck(event);
  } catch {
    // Not on disk, or the monitor died of it: said again.
    again();
  }
}

/** The target whose symptom a playbook answers, as far as its matchers tell. */
function askedFor({ forecast, alert, steps }: Playbook): string | undefined {
  return forecast?.target ?? alert?.labels.job ?? steps[0]?.on.name;
}

/** Whom a silence or a window is about: all, a target, or what a playbook calls; every kind of action or one. */
function aboutWhat({ targets, strangers }: Scenario, { target, x, y }: FaultEvent) {
  const { callees = [] } = strangers ?? {};
  const name = targets[target < 0 ? Math.floor(x * 2 * targets.length) : target]?.name ?? "*";
  if (strangers === undefined) return { target: target < 0 ? "*" : name, action: "*" };
  const callee = callees[Math.floor(y * 4 * callees.length)]?.name;
  return { target: callee ?? name, action: x < 0.1 ? "http" : "*" };
}

/** What people do to the monitor: by the file, and by its API. */
export const PEOPLE: Readonly<Record<string, Special>> = {
  kill_switch: (director, event) => director.reload(event, (d) => ({ ...d, auto_heal: false }), true),
  shadow_target(director, event) {
    const { name } = director.world.scenario.targets[event.target] ?? { name: "" };
    const shadow: Change = (d) => ({
      ...d,
      targets: (d.targets as { name: string }[]).map((t) =>
        t.name === name ? { ...t, auto_heal: false } : t,
      ),
    });
    director.reload(event, shadow, true);
  },
  maintenance(director, event) {
    const wall = director.main.machine.now().wallMs;
    const { target, action } = aboutWhat(director.world.scenario, event);
    const window = {
      ...{ name: `planned-${event.id}`, reason: "planned", target, action },
      starts_at: new Date(wall).toISOString(),
      ends_at: new Date(wall + event.forMs).toISOString(),
    };
    const { world } = director;
    const fromMs = world.time.now;
    const untilMs = fromMs + event.forMs;
    const plan: Change = (d) => {
      const { maintenance = [], ...guards } = (d.guards ?? {}) as { maintenance?: object[] };
      return { ...d, guards: { ...guards, maintenance: [...maintenance, window] } };
    };
    director.reload(event, plan, true, () => {
      const { main: site } = director;
      // To a monitor whose clock was set a day off meanwhile the window is not of now.
      const offMs = Math.abs(site.machine.now().wallMs - wall - (world.time.now - fromMs));
      if (offMs < MINUTE) world.tell("told", { what: "silence", site, target, action, untilMs });
    });
  },
  pause(director, event) {
    const said = { by: "ana", reason: "simulated" };
    const { world } = director;
    say(director, event, (site) => {
      const ends = event.x >= 0.5;
      site.loop?.controls.pause(ends ? { ...said, forMs: event.forMs } : said);
      world.tell("told", { what: "pause", site, ...(ends && { untilMs: world.time.now + event.forMs }) });
      director.later(event.forMs, () =>
        say(director, { ...event, atMs: event.atMs + event.forMs, forMs: 60 * MINUTE }, (of) => {
          world.tell("told", { what: "resume", site: of });
          of.loop?.controls.resume(said);
          return true;
        }),
      );
      return true;
    });
  },
  silence(director, event) {
    const { world } = director;
    const { target, action } = aboutWhat(world.scenario, event);
    say(director, event, (site) => {
      const { wallMs } = site.machine.now();
      const silence = { target, signal: "*", action, author: "ana", reason: "simulated" };
      const given = site.loop?.controls.silence({
        ...silence,
        startsAtMs: wallMs,
        endsAtMs: wallMs + event.forMs,
      });
      if (given === undefined) return false;
      const untilMs = world.time.now + event.forMs;
      world.tell("told", { what: "silence", site, target, action, untilMs });
      return true;
    });
  },
  request(director, event) {
    const { world } = director;
    say(director, event, (site) => {
      const { targets, playbooks } = site.settings;
      const target = world.scenario.targets[event.target]?.name ?? "";
      const own = playbooks.filter((p) => askedFor(p) === target);
      const playbook = event.x < 0.2 ? undefined : own[Math.floor(event.y * own.length)]?.name;
      if (!targets.some(({ name }) => name === target)) return false;
      const wish = { target, ...(playbook !== undefined && { playbook }), by: "ana", reason: "simulated" };
      if (site.loop?.controls.request(wish) === undefined) return false;
      world.tell("told", { what: "request", site, target, ...(playbook !== undefined && { playbook }) });
      return true;
    });
  },
  go_on(director, event) {
    const round = () => {
      const { world, main } = director;
      if (world.time.now > event.atMs + event.forMs) return;
      director.later(10 * MINUTE, round);
      const { loop } = main;
      if (loop === undefined) return;
      try {
        for (const [target, record] of Object.entries(loop.controls.verification.targets))
          if (record.escalation !== undefined) {
            world.tell("told", { what: "go_on", site: main, target });
            loop.controls.answerEscalation({ target, by: "ana", reason: "simulated", resumeTarget: true });
            director.struck(event);
          }
      } catch {
        // Not on disk, or the monitor died of it: at the next round again.
      }
    };
    round();
  },
};
