import { closeSync, fsyncSync, mkdirSync, openSync, writeSync } from "node:fs";
import { dirname } from "node:path";

/** Takes whole log lines, each with its newline. */
export interface LineSink {
  write(line: string): void;
}

/** How long one line may wait for a reader that does not read, before it is dropped. */
const BUSY_LIMIT_MS = 1_000;
const BUSY_STEP_MS = 5;
const waitCell = new Int32Array(new SharedArrayBuffer(4));

/**
 * Writes lines to a file descriptor synchronously, so that a line is out before the next statement runs and none is
 * lost on SIGTERM. A sink that fails (disk full, reader gone) never throws and never grows: the line is dropped and
 * counted. A line that was cut short by a failure is ended with a newline before the next one, so that a reader
 * loses that line only.
 */
export class DescriptorSink implements LineSink {
  #fd: number;
  #dropped = 0;
  #torn = false;
  #closed = false;
  readonly #file: string | undefined;

  private constructor(fd: number, file: string | undefined) {
    this.#fd = fd;
    this.#file = file;
  }

  /** A sink on an open descriptor (1 = standard output). The descriptor is never closed by the sink. */
  static onDescriptor(fd: number): DescriptorSink {
    return new DescriptorSink(fd, undefined);
  }

  /** A sink that appends to a file; its directory is created. Throws when the file cannot be opened. */
  static onFile(file: string): DescriptorSink {
    return new DescriptorSink(openForAppend(file), file);
  }

  /** Lines given up since the start. */
  get dropped(): number {
    return this.#dropped;
  }

  write(line: string): void {
    if (this.#closed) {
      this.#dropped += 1;
      return;
    }
    const bytes = Buffer.from(this.#torn ? `\n${line}` : line);
    const written = this.#writeAll(bytes);
    if (written < bytes.length) this.#dropped += 1;
    if (written > 0) this.#torn = written < bytes.length;
  }

  /** Opens the file again under its name, after a rotation. Keeps the old one when that fails. */
  reopen(): void {
    if (this.#file === undefined || this.#closed) return;
    const fd = openForAppend(this.#file);
    closeSync(this.#fd);
    this.#fd = fd;
  }

  /** Flushes to disk and closes, when the sink owns a file. Later lines are counted as dropped. */
  close(): void {
    if (this.#file === undefined || this.#closed) return;
    this.#closed = true;
    try {
      fsyncSync(this.#fd);
    } catch {
      // A pipe or a full disk: the lines that could be written are written.
    }
    closeSync(this.#fd);
  }

  /** Answers how many bytes went out. */
  #writeAll(bytes: Buffer): number {
    let written = 0;
    let waitedMs = 0;
    while (written < bytes.length) {
      try {
        written += writeSync(this.#fd, bytes, written);
      } catch (error) {
        const code = (error as NodeJS.ErrnoException).code;
        if (code === "EINTR") continue;
        if (code !== "EAGAIN" || waitedMs >= BUSY_LIMIT_MS) return written;
        Atomics.wait(waitCell, 0, 0, BUSY_STEP_MS);
        waitedMs += BUSY_STEP_MS;
      }
    }
    return written;
  }
}

function openForAppend(file: string): number {
  try {
    mkdirSync(dirname(file), { recursive: true });
    return openSync(file, "a", 0o640);
  } catch (error) {
    throw new Error(`log file ${file}: cannot be opened for appending: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
