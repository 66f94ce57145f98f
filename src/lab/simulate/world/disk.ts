import { closeSync, copyFileSync, existsSync, mkdirSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Store } from "../../../monitor/kernel/store.ts";
import type { Clock } from "../../../monitor/kernel/time.ts";
import { createMemoryDisk, createMemoryStore } from "../../../monitor/store/memory/index.ts";
import { openSqliteStore } from "../../../monitor/store/sqlite/index.ts";

/** What outlives a process of the monitor: its journal. */
export interface Disk {
  /** @throws StoreError when another process holds it */
  open(clock: Clock): Store;
  /** The process that held it is gone, without a word: what it had not written is lost. */
  crash(): void;
  /** What is stored is damaged; found at the next opening. */
  damage(): void;
  /** Nothing of it is needed any more. */
  dispose(): void;
}

const RETENTION = { maxEntries: 100_000, maxAgeMs: 90 * 86_400_000 };

/** The journal in memory: the same records and rules as the embedded one, without its files. */
export function memoryDisk(): Disk {
  const disk = createMemoryDisk();
  return {
    open: (clock) => createMemoryStore({ disk, clock, retention: RETENTION }),
    crash: () => disk.crash(),
    damage: () => disk.damage("simulated damage"),
    dispose: () => {},
  };
}

/**
 * The embedded journal, in files under `folder`, which should lie in memory. A crash leaves the files as they are at
 * that moment: they are copied and go on as the disk's, and the handle of the process that is gone writes to the old.
 */
export function fileDisk(folder: string): Disk {
  let generation = 0;
  let held: Store | undefined;
  let damaged = false;
  const pathOf = (n: number) => join(folder, String(n), "monitor.db");
  const release = () => {
    held?.close();
    held = undefined;
  };
  return {
    open(clock) {
      mkdirSync(join(folder, String(generation)), { recursive: true });
      const path = pathOf(generation);
      if (damaged && held === undefined) spoil(path);
      damaged = false;
      held = openSqliteStore({ path, clock, retention: RETENTION });
      return held;
    },
    crash() {
      const before = pathOf(generation);
      generation += 1;
      mkdirSync(join(folder, String(generation)), { recursive: true });
      for (const suffix of ["", "-wal", ".lock"])
        if (existsSync(before + suffix)) copyFileSync(before + suffix, pathOf(generation) + suffix);
      release();
      rmSync(join(folder, String(generation - 1)), { recursive: true, force: true });
    },
    damage() {
      damaged = true;
    },
    dispose() {
      release();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Bytes in the middle of the first page are other ones. */
function spoil(path: string): void {
  if (!existsSync(path)) return;
  const file = openSync(path, "r+");
  writeSync(file, Buffer.alloc(600, 0xa5), 0, 600, 40);
  closeSync(file);
  rmSync(`${path}-wal`, { force: true });
}
