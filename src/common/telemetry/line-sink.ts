import {
  closeSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";

/** Takes whole log lines, each with its newline. */
export interface LineSink {
  write(line: string): void;
}

/**
 * How long one line may wait for a reader that does not read, before it is dropped. The lines after it do not wait, until
 * one goes out again.
 */
const BUSY_LIMIT_MS = 1_000;
const BUSY_STEP_MS = 5;
const waitCell = new Int32Array(new SharedArrayBuffer(4));

/** How often it is looked whether the file's name still leads to it, milliseconds. */
const LOOK_MS = 1_000;

/** What a file may take up. */
export interface FileLimits {
  /**
   * Bytes of a file before it is put aside as `FILE.1`, in the place of the one before: the two together take up twice
   * this. 0: it grows without end.
   */
  readonly maxBytes: number;
}

/**
 * Writes lines to a file descriptor synchronously, so that a line is out before the next statement runs and none is
 * lost on SIGTERM. A sink that fails (disk full, reader gone) never throws and never grows: the line is dropped and
 * counted. A line that was cut short by a failure is ended with a newline before the next one, so that a reader
 * loses that line only. A file that has reached its limit is put aside as `FILE.1`; one that cannot be put aside takes at
 * most twice its limit, and what comes after that is dropped. One that somebody else moved or deleted (logrotate) is begun
 * anew under its name within a second of the next line.
 */
export class DescriptorSink implements LineSink {
  #fd: number;
  #dropped = 0;
  #torn = false;
  #closed = false;
  /** The reader did not read for the whole of a line's wait. */
  #stuck = false;
  /** Bytes in the file; counts only where a file has a limit. */
  #size = 0;
  #lookedMs = performance.now();
  readonly #file: string | undefined;
  readonly #maxBytes: number;
  readonly #regular: boolean;

  private constructor(opened: Opened, file: string | undefined, limits: FileLimits) {
    this.#fd = opened.fd;
    this.#size = opened.size;
    this.#torn = opened.torn;
    this.#file = file;
    this.#regular = opened.regular;
    this.#maxBytes = opened.regular && limits.maxBytes > 0 ? limits.maxBytes : Number.POSITIVE_INFINITY;
  }

  /** A sink on an open descriptor (1 = standard output). The descriptor is never closed by the sink. */
  static onDescriptor(fd: number): DescriptorSink {
    neverBlock(fd);
    return new DescriptorSink({ fd, size: 0, torn: false, regular: false }, undefined, { maxBytes: 0 });
  }

  /** A sink that appends to a file; its directory is created. Throws when the file cannot be opened. */
  static onFile(file: string, limits: FileLimits = { maxBytes: 0 }): DescriptorSink {
    return new DescriptorSink(openForAppend(file), file, limits);
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
    this.#look();
    if (this.#size > 0 && this.#size + Buffer.byteLength(line) > this.#maxBytes) this.#rotate();
    const bytes = Buffer.from(this.#torn ? `\n${line}` : line);
    if (this.#size + bytes.length > 2 * this.#maxBytes && this.#size > 0) {
      this.#dropped += 1;
      return;
    }
    const written = this.#writeAll(bytes);
    if (written < bytes.length) this.#dropped += 1;
    this.#size += written;
    if (written > 0) this.#torn = written < bytes.length;
  }

  /** Opens the file again under its name, after a rotation. Keeps the old one when that fails. */
  reopen(): void {
    if (this.#file === undefined || this.#closed) return;
    const opened = openForAppend(this.#file);
    closeSync(this.#fd);
    this.#fd = opened.fd;
    this.#size = opened.size;
    this.#torn = opened.torn;
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

  /** Whether the name still leads to the file, now and then; one that was cut short in place has its new size. */
  #look(): void {
    const file = this.#file;
    const nowMs = performance.now();
    if (file === undefined || !this.#regular || nowMs - this.#lookedMs < LOOK_MS) return;
    this.#lookedMs = nowMs;
    try {
      const named = statSync(file, { throwIfNoEntry: false });
      if (named?.ino === fstatSync(this.#fd).ino) this.#size = named.size;
      else this.reopen();
    } catch {
      // No folder, no right: the old one goes on, and it is looked again.
    }
  }

  /** Puts the file aside and begins a new one. What fails is tried again at the next line; until then the old one goes on. */
  #rotate(): void {
    const file = this.#file;
    if (file === undefined) return;
    try {
      // Under the name there may be another file, or none: somebody else moved ours, or an earlier try got halfway.
      const named = statSync(file, { throwIfNoEntry: false });
      if (named !== undefined && named.ino === fstatSync(this.#fd).ino) renameSync(file, `${file}.1`);
      this.reopen();
    } catch {
      // No right, no room for a name: the limit of twice the size holds.
    }
  }

  /** Answers how many bytes went out. */
  #writeAll(bytes: Buffer): number {
    let written = 0;
    let waitedMs = 0;
    while (written < bytes.length) {
      try {
        written += writeSync(this.#fd, bytes, written);
        this.#stuck = false;
      } catch (error) {
        const code = (error as NodeJS.ErrnoException).code;
        if (code === "EINTR") continue;
        if (code !== "EAGAIN") return written;
        this.#stuck ||= waitedMs >= BUSY_LIMIT_MS;
        if (this.#stuck) return written;
        Atomics.wait(waitCell, 0, 0, BUSY_STEP_MS);
        waitedMs += BUSY_STEP_MS;
      }
    }
    return written;
  }
}

/**
 * A pipe whose reader does not read would block the whole process for ever. Node makes standard output non-blocking when
 * it is a pipe or a socket, and first asked for.
 */
function neverBlock(fd: number): void {
  if (fd !== 1) return;
  try {
    const stat = fstatSync(fd);
    if (stat.isFIFO() || stat.isSocket()) void process.stdout.writable;
  } catch {
    // A closed descriptor: every line will be dropped and counted.
  }
}

interface Opened {
  readonly fd: number;
  readonly size: number;
  /** Its last line has no end: the process before was killed in the middle of it. */
  readonly torn: boolean;
  /** A file that can be put aside; not a device or a pipe. */
  readonly regular: boolean;
}

function openForAppend(file: string): Opened {
  try {
    mkdirSync(dirname(file), { recursive: true });
    const fd = openSync(file, "a", 0o640);
    const stat = fstatSync(fd);
    const regular = stat.isFile();
    return { fd, size: regular ? stat.size : 0, torn: regular && endsTorn(file, stat.size), regular };
  } catch (error) {
    throw new Error(`log file ${file}: cannot be opened for appending: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

function endsTorn(file: string, size: number): boolean {
  if (size === 0) return false;
  const last = Buffer.alloc(1);
  const fd = openSync(file, "r");
  try {
    return readSync(fd, last, 0, 1, size - 1) === 1 && last.toString() !== "\n";
  } finally {
    closeSync(fd);
  }
}
