import type { BuildInfo } from "../../common/telemetry/build-info.ts";
import type { Config } from "../config/types.ts";
import type { Loop } from "../cycle/tick.ts";
import type { Store } from "../kernel/store.ts";
import { STATES } from "../report/page/decision-log.ts";
import { PageFeed } from "../report/page/feed.ts";
import type { StatusBoard, StatusContext } from "../report/status.ts";
import type { ControlsApi } from "../web/controls.ts";
import type { PageApi } from "../web/views.ts";
import { createPageReplay, type PageReplay } from "./page-replay.ts";
import { kindsInUse } from "./plugins.ts";

/** Entries of the journal that are shown at once, and those that one target's page looks through. */
const SHOWN = 100;
const SEARCHED = 1000;

/** Everything the status API and page are made of. */
export interface Views {
  readonly feed: PageFeed;
  readonly page: PageApi;
  readonly replay: PageReplay;
  status(): object;
  /** The same controls; the page shows at once what they changed. */
  shown(controls: ControlsApi): ControlsApi;
}

/** @param parts.loop asked late: the loop is made after those who are told by it */
export function createViews(parts: {
  readonly board: StatusBoard;
  readonly build: BuildInfo;
  readonly store: Store;
  readonly loop: () => Loop;
  readonly config: () => Config;
  /** Notifiers in use. */
  readonly notifiers: () => readonly string[];
}): Views {
  const { board, build, store } = parts;
  const context = (entries = SHOWN): StatusContext => {
    const loop = parts.loop();
    return {
      settings: loop.settings,
      version: build.version,
      revision: build.revision,
      epoch: store.epoch,
      journal: store.recent(entries),
      containment: loop.containment,
      controls: loop.controls,
      configFile: parts.config().file,
      plugins: kindsInUse(parts.config(), parts.notifiers()),
    };
  };
  const feed = new PageFeed({
    cycleMs: () => parts.loop().settings.cycleMs,
    overview: () => board.overview(context()),
    run: String(store.epoch),
  });
  const replay = createPageReplay({
    rings: feed.rings,
    settings: () => parts.loop().settings,
    maxSampleAgeMs: () => parts.config().sources.maxSampleAgeMs,
    journal: () => store.recent(SEARCHED),
  });
  return {
    feed,
    replay,
    status: () => board.status(context()),
    page: {
      states: STATES,
      fleet: () => feed.fleet(),
      series(query) {
        const found = feed.series(query);
        const actions = () => board.actionsOn(query.target, context(SEARCHED));
        return found === undefined ? undefined : { ...found, actions: actions() };
      },
      decisions: (query) => feed.log.find(query),
      since: (id) => feed.since(id),
      subscribe: (listener) => feed.subscribe(listener),
    },
    shown(controls) {
      const then = <T>(done: T): T => {
        feed.refresh();
        return done;
      };
      return {
        ...controls,
        pause: (asked) => then(controls.pause(asked)),
        resume: (asked) => then(controls.resume(asked)),
        silence: (asked) => then(controls.silence(asked)),
        liftSilence: (id, asked) => then(controls.liftSilence(id, asked)),
        acknowledge: (asked) => then(controls.acknowledge(asked)),
      };
    },
  };
}
