import { type Action, type InstanceOutcome, type Intent, isUndo } from "../../../monitor/kernel/action.ts";
import type { MetricSource } from "../../../monitor/kernel/observation.ts";
import { type Store, StoreError } from "../../../monitor/kernel/store.ts";
import type { Instance } from "../../../monitor/kernel/target.ts";
import type { Notifier } from "../../../monitor/kernel/verification.ts";
import type { CallFact, IntentFact, SiteView } from "./facts.ts";
import { Killed, type Process } from "./process.ts";
import type { World } from "./world.ts";

/** What the wrappers of one process' ports share. */
export interface Wiring {
  readonly process: Process;
  readonly site: SiteView;
  /** Intents written since it was last emptied: those of the cycle under way. */
  readonly written: IntentFact[];
  /** Told before each call of an action. */
  readonly beforeCall: (intent: Intent) => void;
  /** Told of every write that failed, and of documents that are on disk. */
  readonly diskFailed: () => void;
  readonly kept: (kinds: readonly string[]) => void;
}

/** A source whose answers reach the process when it gets round to them. */
export function guardSource(source: MetricSource, { process }: Wiring): MetricSource {
  const { observe, history, parts } = source;
  return {
    name: source.name,
    observe(request) {
      process.step("observe");
      return process.through(observe.call(source, request));
    },
    ...(history === undefined
      ? {}
      : {
          history(request) {
            process.step("history");
            return process.through(history.call(source, request));
          },
        }),
    ...(parts === undefined
      ? {}
      : {
          parts(request) {
            process.step("parts");
            return process.through(parts.call(source, request));
          },
        }),
  };
}

type Write = () => void;

/** A disk that can be full, fail, or be unsure, under a process that can be killed before and after each write. */
export function guardStore(store: Store, wiring: Wiring): Store {
  const { process } = wiring;
  const { world } = process;
  const { faults } = world;
  /** @returns whether the caller must be told that it failed although it is on disk. */
  const write = (port: string, work: Write): boolean => {
    process.step(port);
    const fails = (why: string) => {
      wiring.diskFailed();
      throw new StoreError(`cannot write: ${why}`);
    };
    if (faults.meet("disk_full") !== undefined) fails("ENOSPC");
    if (faults.meet("disk_error") !== undefined) fails("EIO");
    work();
    return faults.meet("disk_unsure") !== undefined;
  };
  const sure = (unsure: boolean) => {
    if (!unsure) return;
    wiring.diskFailed();
    throw new StoreError("cannot write: EIO after the write");
  };
  const strike = (kind: string) => {
    const active = faults.meet(kind);
    if (active === undefined) return;
    faults.end(active.event);
    process.kill(kind);
    throw new Killed();
  };
  const read = <T>(port: string, work: () => T): T => {
    process.step(port);
    return work();
  };
  return {
    epoch: store.epoch,
    load: () => read("load", () => store.load()),
    recordIntent(intent) {
      strike("kill_before_intent");
      const unsure = write("recordIntent", () => store.recordIntent(intent));
      noteIntent(intent, wiring, unsure);
      strike("kill_after_intent");
      sure(unsure);
    },
    recordCall: (call) => sure(write("recordCall", () => store.recordCall(call))),
    recordOutcome(outcome) {
      strike("kill_before_outcome");
      const unsure = write("recordOutcome", () => store.recordOutcome(outcome));
      const fact = world.intents.get(factKey(wiring.site, outcome.intentId));
      if (fact !== undefined) {
        fact.outcomes.push({ outcome, atMs: world.time.now });
        world.line(`${wiring.site.name} outcome ${outcome.intentId} ${outcome.status}`);
        world.tell("outcome", fact);
      }
      strike("kill_after_outcome");
      sure(unsure);
    },
    saveSeries: (changed) => sure(write("saveSeries", () => store.saveSeries(changed))),
    saveDocuments(changed) {
      sure(write("saveDocuments", () => store.saveDocuments(changed)));
      wiring.kept(changed.map((d) => d.kind));
    },
    entry: (id) => read("entry", () => store.entry(id)),
    recent: (limit) => read("recent", () => store.recent(limit)),
    close: () => store.close(),
  };
}

function factKey(site: SiteView, id: string): string {
  return `${site.name} ${id}`;
}

function noteIntent(intent: Intent, { process, site, written }: Wiring, unsure: boolean): void {
  const { world } = process;
  const atMs = world.time.now;
  const ofRun = runOf(intent, site, world);
  // A copy: whatever becomes of the one in the program, this is what was written.
  const of = { intent: { ...intent }, site, atMs, ofRun };
  const fact: IntentFact = { ...of, outcomes: [], calls: [], lost: false, unsure };
  world.intents.set(factKey(site, intent.id), fact);
  if (!isUndo(intent)) ofRun.push(fact);
  written.push(fact);
  const asker = intent.asker === undefined ? "" : ` for ${intent.asker}`;
  world.line(
    `${site.name} intent ${intent.id} ${intent.kind} on ${intent.target}${asker} (${intent.trigger})`,
  );
  world.tell("intent", fact);
}

function runOf({ id, origin }: Intent, site: SiteView, { runs }: World): IntentFact[] {
  const key = factKey(site, origin?.run ?? id);
  const known = runs.get(key) ?? [];
  runs.set(key, known);
  return known;
}

/** A call that is told to the checkers before it is made, from a process that may stand still or die in it. */
export function guardAction(action: Action, wiring: Wiring): Action {
  const { process, site } = wiring;
  const { world } = process;
  const killInCall = () => {
    const active = world.faults.meet("kill_in_call");
    if (active === undefined) return;
    world.faults.end(active.event);
    world.time.after(1 + 4000 * active.event.x, () => process.kill("kill_in_call"));
  };
  return {
    kind: action.kind,
    async execute(intent, instance, signal) {
      process.step("execute");
      wiring.beforeCall(intent);
      await process.turn();
      // Nothing is sent any more: it was given up while the process stood still.
      if (signal.aborted) return process.through(action.execute(intent, instance, signal));
      const call = noteCall(intent, instance, wiring);
      killInCall();
      const came = await process.through(action.execute(intent, instance, signal));
      call.came = came;
      call.cameMs = world.time.now;
      world.line(`${site.name} came ${intent.id} ${instance.name} ${said(came)}`);
      return came;
    },
    async reconcile(intent, instance, signal) {
      process.step("reconcile");
      await process.turn();
      const came = await process.through(action.reconcile(intent, instance, signal));
      world.line(`${site.name} asked ${intent.id} ${instance.name} ${said(came)}`);
      return came;
    },
  };
}

function said({ status, httpStatus }: InstanceOutcome): string {
  return httpStatus === undefined ? status : `${status} ${httpStatus}`;
}

function noteCall(intent: Intent, instance: Instance, { process, site }: Wiring): CallFact {
  const { world } = process;
  const fact = world.intents.get(factKey(site, intent.id));
  const call: CallFact = { intent, site, instance: instance.name, atMs: world.time.now, fact };
  fact?.calls.push(call);
  world.counts.calls += 1;
  world.line(`${site.name} call ${intent.id} ${intent.kind} ${instance.name} epoch ${intent.epoch}`);
  world.tell("call", call);
  return call;
}

/** Who calls people, reached when the process gets round to it. */
export function guardNotifier(notifier: Notifier, { process }: Wiring): Notifier {
  return {
    async notify(alerts, signal) {
      process.step("tell");
      return process.through(notifier.notify(alerts, signal));
    },
    close: () => notifier.close(),
  };
}
