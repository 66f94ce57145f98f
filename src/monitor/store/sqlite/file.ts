import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { FolderError, privateFile, privateFolder } from "../../../common/disk/private.ts";
import { StoreError } from "../../kernel/store.ts";
import { describe, sqliteCode } from "./errors.ts";

/** The exclusive right to one journal, held until released or until the process is gone. */
export interface Lock {
  /** True when an earlier run used this journal's path. */
  readonly usedBefore: boolean;
  release(): void;
}

/** Makes sure that the data directory exists and can be written. Throws `StoreError` naming it. */
export function prepareDirectory(path: string): void {
  try {
    privateFolder(dirname(path));
  } catch (cause) {
    if (!(cause instanceof FolderError)) throw cause;
    throw new StoreError(
      `data directory ${dirname(path)} cannot be written: ${cause.reason}; give a writable directory`,
      { cause },
    );
  }
}

/**
 * Takes the one lock of a journal. It is an SQLite write lock on an empty side file: the kernel drops it when the
 * process dies, so nothing stale can be left behind, and it stays put when the journal itself is moved away.
 * The `.pid` file beside it only serves the message. Throws `StoreError` when another process holds it.
 */
export function takeLock(path: string): Lock {
  const lockPath = `${path}.lock`;
  const pidPath = `${path}.pid`;
  const usedBefore = existsSync(lockPath);
  let db: DatabaseSync | undefined;
  try {
    privateFile(lockPath);
    db = new DatabaseSync(lockPath, { timeout: 0 });
    // Nothing is ever written here, so it needs no rollback journal on disk.
    db.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
    writeFileSync(pidPath, `${process.pid}\n`, { mode: 0o600 });
  } catch (cause) {
    db?.close();
    if (sqliteCode(cause) !== 5) {
      throw new StoreError(`cannot take the lock ${lockPath}: ${describe(cause)}`, { cause });
    }
    throw new StoreError(
      `journal ${path} is in use by another monitor (process ${readPid(pidPath)}); ` +
        "stop that one or give this one its own data directory",
      { cause },
    );
  }
  const held = db;
  return {
    usedBefore,
    release() {
      if (held.isOpen) held.close();
    },
  };
}

function readPid(pidPath: string): string {
  try {
    return /^\d{1,10}\n$/.exec(readFileSync(pidPath, "utf8"))?.[0].trim() ?? "unknown";
  } catch {
    return "unknown";
  }
}

const MAGIC = "SQLite format 3\0";

/**
 * What is wrong with a file before SQLite sees it, or undefined. SQLite takes an empty file for a new database, and a
 * damaged format byte for a read-only one. Call it only while no connection is open: closing any descriptor of a file
 * drops this process' locks on it.
 */
export function headerProblem(path: string): string | undefined {
  if (statSync(path).size === 0) return "the file is empty";
  const header = Buffer.alloc(100);
  const descriptor = openSync(path, "r");
  try {
    const length = readSync(descriptor, header, 0, header.length, 0);
    if (length < header.length || header.toString("latin1", 0, 16) !== MAGIC) return "it is not a database";
  } finally {
    closeSync(descriptor);
  }
  // Write and read version: 1 is a rollback journal, 2 is WAL.
  const versions = [header[18] ?? 0, header[19] ?? 0];
  return versions.every((version) => version === 1 || version === 2) ? undefined : "its header is damaged";
}

/** Moves a damaged journal with its side files to `<path>.corrupt-<wallMs>`; returns where it lies. */
export function setAside(path: string, wallMs: number): string {
  const base = `${path}.corrupt-${Math.floor(wallMs)}`;
  let place = base;
  for (let n = 1; existsSync(place); n += 1) place = `${base}-${n}`;
  // The database last: while it is there, the next opening finds it damaged again.
  for (const suffix of ["-wal", "-shm", "-journal", ""]) {
    if (existsSync(path + suffix)) renameSync(path + suffix, place + suffix);
  }
  syncDirectory(path);
  return place;
}

/** Makes renames and new names beside `path` durable. */
export function syncDirectory(path: string): void {
  const descriptor = openSync(dirname(path), "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
