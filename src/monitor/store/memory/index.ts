import { NO_SETTINGS } from "../../../common/settings/fields.ts";
import { type Store, StoreError } from "../../kernel/store.ts";
import type { Clock } from "../../kernel/time.ts";
import type { QuarantineNotice, Retention, StoreSettings } from "../records.ts";
import * as records from "../records.ts";
import type { StorePlugin } from "../shared/context.ts";

export const memory: StorePlugin = {
  kind: "memory",
  docs: {
    summary: "nothing outlives the process, cooldowns and open intents neither: for trials and replays",
  },
  settings: NO_SETTINGS,
  metrics: [],
  create: ({ clock, retention }) => createMemoryStore({ clock, retention }),
};

interface MemoryEntry {
  readonly intent: string;
  outcome: string | undefined;
  outcomeWallMs: number;
}

/** What lies on a simulated disk. Texts, as on a real one, so that nothing is shared with the caller. */
interface Contents {
  epoch: number;
  /** By intent id, oldest first. */
  readonly journal: Map<string, MemoryEntry>;
  readonly lastActions: Map<string, string>;
  readonly series: Map<string, string>;
  readonly documents: Map<string, string>;
  notice: QuarantineNotice | undefined;
}

/** A disk that outlives the stores opened on it: restart, crash and damage in tests, replay and simulation. */
export interface MemoryDisk {
  /** While set, every write throws `StoreError` with this text as its reason (a full or broken disk). */
  failWrites: string | undefined;
  /** The process that held the store is gone without closing it: the next opening succeeds, the old handle is dead. */
  crash(): void;
  /** Damages what is stored: the next opening quarantines it, for this reason. */
  damage(reason: string): void;
}

interface DiskState extends MemoryDisk {
  contents: Contents | undefined;
  damaged: string | undefined;
  /** Identifies the opening that holds the disk. */
  owner: symbol | undefined;
}

const disks = new WeakSet<MemoryDisk>();

/** An empty simulated disk for `createMemoryStore`. */
export function createMemoryDisk(): MemoryDisk {
  const disk: DiskState = {
    contents: undefined,
    damaged: undefined,
    owner: undefined,
    failWrites: undefined,
    crash() {
      disk.owner = undefined;
    },
    damage(reason) {
      disk.damaged = reason;
    },
  };
  disks.add(disk);
  return disk;
}

/** Settings of `createMemoryStore`: all have a default. */
export interface MemoryStoreSettings extends Partial<StoreSettings> {
  /** The disk to open; a new one when absent. */
  readonly disk?: MemoryDisk | undefined;
  /** Told once, when the opening finds damaged state. */
  readonly onQuarantine?: ((notice: string) => void) | undefined;
}

const NEVER: Clock = { bootId: "memory", now: () => ({ wallMs: 0, monoMs: 0 }) };
const KEEP: Retention = { maxEntries: 10_000, maxAgeMs: Number.MAX_SAFE_INTEGER };

/**
 * The journal in memory, with the same behaviour as the embedded one, for tests, replay and simulation.
 * Throws `StoreError` when the disk is held by another store or writes fail.
 */
export function createMemoryStore(settings: MemoryStoreSettings = {}): Store {
  const { clock = NEVER, retention = KEEP, disk: given = createMemoryDisk() } = settings;
  const windowMs = records.checkSettings({ ...settings, clock, retention });
  if (!disks.has(given)) throw new StoreError("disk must come from createMemoryDisk");
  const disk = given as DiskState;
  if (disk.owner !== undefined)
    throw new StoreError("the store is held by another monitor; stop that one first");
  if (disk.failWrites !== undefined) throw new StoreError(`cannot open the store: ${disk.failWrites}`);
  const contents = openContents({ disk, clock, onQuarantine: settings.onQuarantine });
  disk.contents = contents;
  const owner = Symbol("opening");
  disk.owner = owner;
  prune(contents, retention, clock);
  return memoryStore({ disk, contents, owner, clock, retention, windowMs });
}

function openContents(from: {
  disk: DiskState;
  clock: Clock;
  onQuarantine: ((notice: string) => void) | undefined;
}): Contents {
  const { disk, clock } = from;
  const now = clock.now();
  const fresh = (notice: QuarantineNotice | undefined): Contents => ({
    epoch: Math.max(records.firstEpoch(now), (disk.contents?.epoch ?? 0) + 1),
    journal: new Map(),
    lastActions: new Map(),
    series: new Map(),
    documents: new Map(),
    notice,
  });
  if (disk.damaged !== undefined) {
    const text = `the state was set aside: ${disk.damaged}`;
    disk.damaged = undefined;
    from.onQuarantine?.(text);
    return fresh({ text, at: now, bootId: clock.bootId });
  }
  if (disk.contents === undefined) return fresh(undefined);
  disk.contents.epoch += 1;
  return disk.contents;
}

function prune({ journal }: Contents, { maxEntries, maxAgeMs }: Retention, clock: Clock): void {
  const oldest = clock.now().wallMs - maxAgeMs;
  let kept = 0;
  for (const [id, entry] of [...journal].reverse()) {
    if (entry.outcome === undefined) continue;
    kept += 1;
    if (kept > maxEntries || entry.outcomeWallMs < oldest) journal.delete(id);
  }
}

function memoryStore(from: {
  disk: DiskState;
  contents: Contents;
  owner: symbol;
  clock: Clock;
  retention: Retention;
  windowMs: number;
}): Store {
  const { disk, contents, owner, clock, retention, windowMs } = from;
  const { epoch, journal, lastActions, series, documents } = contents;
  const alive = (): void => {
    if (disk.owner !== owner) throw new StoreError("the store is closed");
  };
  const writable = (): void => {
    alive();
    if (disk.failWrites !== undefined) throw new StoreError(`cannot write: ${disk.failWrites}`);
  };
  return {
    epoch,
    load() {
      alive();
      const { notice } = contents;
      return records.persisted({
        series: [...series.values()].map(records.series.decode),
        lastActions: [...lastActions.values()].map(records.lastActions.decode),
        openIntents: [...journal.values()]
          .filter((entry) => entry.outcome === undefined)
          .map((entry) => records.intents.decode(entry.intent)),
        documents: [...documents.values()].map(records.documents.decode),
        quarantined: notice && records.noticeStands(notice, windowMs, clock) ? notice.text : undefined,
      });
    },
    recordIntent(intent) {
      writable();
      const text = records.intents.encode(intent);
      if (journal.has(intent.id)) throw new StoreError(`intent ${intent.id} is already recorded`);
      journal.set(intent.id, { intent: text, outcome: undefined, outcomeWallMs: 0 });
      for (const action of records.lastActionsOf(intent))
        lastActions.set(action.target, records.lastActions.encode(action));
    },
    recordCall(call) {
      writable();
      lastActions.set(call.target, records.lastActions.encode(call));
    },
    recordOutcome(outcome) {
      writable();
      const text = records.outcomes.encode(outcome);
      const entry = journal.get(outcome.intentId);
      if (entry === undefined) throw new StoreError(`intent ${outcome.intentId} is not in the journal`);
      if (entry.outcome !== undefined) {
        throw new StoreError(`intent ${outcome.intentId} already has its terminal record`);
      }
      entry.outcome = text;
      entry.outcomeWallMs = outcome.at.wallMs;
      prune(contents, retention, clock);
    },
    saveSeries(changed) {
      writable();
      // All texts first: one bad row must leave no part of the others behind.
      for (const [key, text] of changed.map((state) => [state.key, records.series.encode(state)] as const)) {
        series.set(key, text);
      }
    },
    saveDocuments(changed) {
      writable();
      const texts = changed.map(
        (d) =>
          [records.documentKey(d), d.body === undefined ? undefined : records.documents.encode(d)] as const,
      );
      for (const [key, text] of texts) {
        if (text === undefined) documents.delete(key);
        else documents.set(key, text);
      }
    },
    entry(id) {
      alive();
      const found = journal.get(id);
      return found && records.decodeEntry(found.intent, found.outcome);
    },
    recent(limit) {
      alive();
      const newest = [...journal.values()].reverse().slice(0, records.checkLimit(limit));
      return newest.map((entry) => records.decodeEntry(entry.intent, entry.outcome));
    },
    close() {
      if (disk.owner === owner) disk.owner = undefined;
    },
  };
}
