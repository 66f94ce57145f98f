import {
  accessSync,
  chmodSync,
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readdirSync,
  statSync,
} from "node:fs";
import { dirname } from "node:path";

const FOLDER = 0o700;
const FILE = 0o600;

/** A folder that cannot be used. */
export class FolderError extends Error {
  override readonly name = "FolderError";
  /** In words, with the system's code. */
  readonly reason: string;
  constructor(folder: string, cause: unknown) {
    const reason = whyNot(cause);
    super(`${folder} cannot be written: ${reason}`, { cause });
    this.reason = reason;
  }
}

/**
 * Makes sure that a folder is there and can be written, for this user alone (0700) where it is new or empty: one that
 * holds something may be shared on purpose.
 * @throws FolderError
 */
export function privateFolder(folder: string): void {
  try {
    makeFolder(folder);
    if (readdirSync(folder).length === 0) narrow(folder, FOLDER);
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw new FolderError(folder, cause);
  }
}

/** Makes sure that a file, and what SQLite keeps beside it, is for this user alone (0600); a missing one is made, empty. */
export function privateFile(file: string): void {
  if (statSync(file, { throwIfNoEntry: false }) === undefined) closeSync(openSync(file, "a", FILE));
  for (const path of [file, `${file}-wal`, `${file}-shm`]) narrow(path, FILE);
}

/** One by one: Node's own way names a folder that is missing where one above it is read-only, or never ends. */
function makeFolder(folder: string): void {
  const stat = statSync(folder, { throwIfNoEntry: false });
  if (stat?.isDirectory() === true) return;
  if (stat === undefined && dirname(folder) !== folder) makeFolder(dirname(folder));
  try {
    mkdirSync(folder, FOLDER);
  } catch (error) {
    // Somebody else may have made it meanwhile.
    if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) throw error;
  }
}

/** What belongs to somebody else, e.g. a volume that was mounted, stays as it is. */
function narrow(path: string, mode: number): void {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined || (stat.mode & 0o077) === 0) return;
  try {
    chmodSync(path, mode);
  } catch {
    // Not ours.
  }
}

const REASONS: Readonly<Record<string, string>> = {
  EROFS: "it is on a read-only file system",
  EACCES: "this user has no right to write there",
  EPERM: "this user has no right to write there",
  EEXIST: "a file stands in its way",
  ENOTDIR: "a file stands in its way",
  ENOSPC: "the disk is full",
  ENOENT: "nothing can be made there",
};

/** Why a folder cannot be used, in words, with the system's code. @internal for its tests */
export function whyNot(error: unknown): string {
  const { code = "", message = String(error) } = error as NodeJS.ErrnoException;
  const words = REASONS[code];
  return words === undefined ? message : `${words} (${code})`;
}
