import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { privateFolder } from "../../../common/disk/private.ts";

/** Replaces a file as a whole: after a crash there is the old content or the new, never a mixture. Throws what the disk says. */
export function writeDurably(file: string, content: Buffer): void {
  privateFolder(dirname(file));
  const draft = `${file}.draft`;
  const handle = openSync(draft, "w", 0o600);
  try {
    writeFileSync(handle, content);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  renameSync(draft, file);
  syncDirectory(file);
}

/** Removes a file for good; one that is not there is no error. */
export function removeDurably(file: string): void {
  rmSync(file, { force: true });
  syncDirectory(file);
}

/** The content, or undefined when there is no such file. Throws for any other reason. */
export function readIfThere(file: string): Buffer | undefined {
  try {
    return readFileSync(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Moves a damaged file out of the way and answers where it lies. */
export function setAside(file: string, wallMs: number): string {
  const aside = `${file}.corrupt-${Math.floor(wallMs)}`;
  renameSync(file, aside);
  return aside;
}

function syncDirectory(file: string): void {
  const directory = openSync(dirname(file), "r");
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
