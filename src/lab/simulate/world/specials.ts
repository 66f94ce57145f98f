import type { FaultEvent } from "../scenario.ts";
import { configOf, WEB_TOKEN } from "../scenario.ts";
import { names } from "../strangers.ts";
import { webhookOf } from "./alertmanager.ts";
import type { Change, Director, Special } from "./director.ts";
import { PEOPLE } from "./people.ts";

const MINUTE = 60_000;

const DAY = 86_400_000;

const kill: Special = (director, event) => {
  const { process } = director.main;
  if (process === undefined) return;
  process.kill(event.kind);
  director.struck(event);
};

/** Faults that are more than a state that calls run into. */
export const SPECIAL: Readonly<Record<string, Special>> = {
  kill_idle: kill,
  kill_any(director, event) {
    const { process } = director.main;
    if (process === undefined) return;
    process.killIn = 1 + Math.floor(80 * event.x);
    director.struck(event);
  },
  crash_loop(director, event) {
    for (let n = 0; n < 5; n += 1) director.later((n * event.forMs) / 5, () => kill(director, event));
  },
  stop(director, event) {
    if (director.main.loop === undefined) return;
    director.struck(event);
    void director.main.stop();
  },
  reboot(director, event) {
    director.main.reboot();
    director.struck(event);
  },
  stall(director, event) {
    const { process } = director.main;
    if (process === undefined || process.still) return;
    process.standStill();
    director.struck(event);
    director.later(event.forMs, () => process.resumeTarget());
  },
  second_start(director, event) {
    const { main, world } = director;
    if (main.process === undefined) return;
    director.struck(event);
    try {
      main.disk.open(main.process.clock());
      world.violate(1, "a second monitor opened the journal that the first one holds");
    } catch {
      world.line("a second monitor is turned away");
    }
  },
  two_leaders(director, event) {
    if (!director.alone) return;
    const first = director.main;
    const standby = director.standby();
    director.struck(event);
    director.later(event.forMs, () => {
      if (event.y < 0.7) director.retire(first, standby);
      else director.retire(standby, first);
    });
  },
  reload(director, event) {
    const random = director.random(event);
    const predict = {
      sensitivity: random.pick(["strict", "default", "eager"]),
      window_samples: random.whole(10, 30),
      horizon_seconds: random.pick([120, 180, 300]),
    };
    director.reload(event, (d) => ({ ...d, predict: { ...(d.predict as object), ...predict } }), false);
  },
  reload_invalid(director, event) {
    const { main, world } = director;
    if (main.loop === undefined) return;
    const wrong = {
      ...configOf(world.scenario, world.options.folder),
      targets: [{ name: "", url: "no URL" }],
      surprise: true,
    };
    if (main.reload(wrong)) world.violate(2, "a file that is wrong was taken at a reload");
    director.struck(event);
  },
  reload_drops(director, event) {
    const { targets } = director.world.scenario;
    const gone = targets[Math.floor(event.x * targets.length)]?.name ?? "";
    const drop: Change = ({ playbooks, ...d }) => ({
      ...d,
      targets: (d.targets as { name: string }[]).filter(({ name }) => name !== gone),
      ...(playbooks !== undefined && {
        playbooks: (playbooks as unknown[]).filter((p) => !names(p, gone)),
      }),
    });
    director.reload(event, drop, true);
  },
  disk_torn(director, event) {
    director.main.lose();
    director.struck(event);
  },
  wall_ahead: (director, event) => shift(director, event, DAY, false),
  wall_behind: (director, event) => shift(director, event, -DAY, false),
  wall_all_ahead: (director, event) => shift(director, event, DAY, true),
  wall_slews: (director, event) => shift(director, event, 16_000 * (event.x - 0.5), false),
  alert_forged(director, event) {
    const ghost = director.alertmanager.ghost(event.x, 900 + event.id);
    if (ghost === undefined) return;
    const token = event.y < 0.5 ? undefined : "guessed-token-0123456789";
    void director.main.webhook(webhookOf([ghost]), token).then((status) => {
      if (status === undefined) return;
      director.struck(event);
      director.world.line(`forged alert answered ${status}`);
    });
  },
  alert_garbage(director, event) {
    const entries = [null, { status: "firing" }, { status: "firing", labels: { alertname: 7 } }, 3];
    void director.main
      .webhook({ version: "4", alerts: entries }, WEB_TOKEN)
      .then((status) => status !== undefined && director.struck(event));
  },
  alert_future(director, event) {
    const ghost = director.alertmanager.ghost(event.x, 700 + event.id);
    if (ghost === undefined) return;
    ghost.startsAtMs += DAY;
    const { main } = director;
    void main.webhook(webhookOf([ghost]), WEB_TOKEN).then((status) => {
      if (status === undefined) return;
      director.struck(event);
      // For a monitor whose clock is a day ahead it does not lie in the future.
      if (status === 200) director.alertmanager.told(main, ghost);
    });
  },
  alert_silent(director, event) {
    const ghost = director.alertmanager.ghost(event.x, 500 + event.id);
    if (ghost === undefined) return;
    director.struck(event);
    director.alertmanager.tell(ghost);
  },
  alert_flaps(director, event) {
    const ghost = director.alertmanager.ghost(event.x, 300 + event.id);
    if (ghost === undefined) return;
    director.struck(event);
    for (let n = 0; n * MINUTE < event.forMs; n += 1)
      director.later(n * MINUTE, () => {
        const wall = ghost.startsAtMs + (n + 1) * MINUTE;
        const startsAtMs = ghost.startsAtMs + 2 * Math.floor(n / 2) * MINUTE;
        director.alertmanager.tell({ ...ghost, startsAtMs, endsAtMs: n % 2 === 0 ? undefined : wall });
      });
  },
  ...PEOPLE,
};

function shift({ world, main }: Director, event: FaultEvent, byMs: number, all: boolean): void {
  const move = (ms: number) => {
    main.machine.wallOffsetMs += ms;
    if (all) world.prometheus.wallOffsetMs += ms;
  };
  move(byMs);
  world.faults.felt(event);
  world.time.after(event.forMs, () => move(-byMs));
}
