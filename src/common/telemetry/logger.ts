import { isatty } from "node:tty";
import { type DestinationStream, type Logger, pino } from "pino";
import pinoPretty from "pino-pretty";
import { DescriptorSink, type LineSink } from "./line-sink.ts";

export type { Logger } from "pino";

export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** `json`: one flat object a line, for machines; `pretty`: for a person at a terminal. */
export const LOG_FORMATS = ["json", "pretty"] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

/** With the one put aside, a program's log takes up twice this. */
export const LOG_FILE_MAX_BYTES = 50_000_000;

export interface LogOptions {
  /** Value of the `job` field of every line. */
  readonly job: string;
  /** Default `info`. */
  readonly level?: LogLevel;
  /** Of the terminal stream; a file always gets JSON. Default `json`. */
  readonly format?: LogFormat;
  /** Also append every line to this file; its directory is created. */
  readonly file?: string;
  /** Bytes of that file before it is put aside as `FILE.1`; 0: never. Default `LOG_FILE_MAX_BYTES`. */
  readonly fileMaxBytes?: number;
  /** Instead of standard output. */
  readonly stream?: LineSink;
  /** More fields of every line. */
  readonly fields?: Readonly<Record<string, string | number | boolean>>;
  /** Wall clock in milliseconds since the epoch. Default `Date.now`. */
  readonly now?: () => number;
}

export interface Log {
  readonly logger: Logger;
  /** Lines that neither reached the terminal stream nor, where there is one, the file: each loss counts once. */
  droppedLines(): number;
  /** Opens the log file again, after a rotation; one that cannot be opened is logged, and the old one goes on. */
  reopen(): void;
  /** Flushes and closes the log file. */
  close(): void;
}

/**
 * A logger of flat JSON lines: `level` (a name), `ts` (ISO-8601), `unix_ts` (whole seconds), `job`, then the fields
 * of the call, then `message`. Every line is written synchronously. An `Error` under `err` becomes the flat fields
 * `error`, `error_type` and `error_stack`.
 *
 * Throws when the log file cannot be opened.
 */
export function openLog(options: LogOptions): Log {
  const stdout = DescriptorSink.onDescriptor(1);
  const terminal = options.stream ?? stdout;
  const file =
    options.file === undefined
      ? undefined
      : DescriptorSink.onFile(options.file, { maxBytes: options.fileMaxBytes ?? LOG_FILE_MAX_BYTES });
  const shown = options.format === "pretty" ? prettySink(terminal, options.stream === undefined) : terminal;
  const destination: DestinationStream = {
    write(raw: string): void {
      const line = escapeHidden(raw);
      shown.write(line);
      file?.write(line);
    },
  };
  const now = options.now ?? Date.now;
  const logger = pino(
    {
      level: options.level ?? "info",
      messageKey: "message",
      base: { job: options.job, ...options.fields },
      timestamp: () => timestampFields(now()),
      formatters: {
        level: (label) => ({ level: label }),
        log: flattenError,
      },
    },
    destination,
  );
  return {
    logger,
    droppedLines: () => stdout.dropped + (file?.dropped ?? 0),
    reopen: () => {
      try {
        file?.reopen();
      } catch (error) {
        logger.error({ err: error }, "log file not opened again, the old one goes on");
      }
    },
    close: () => file?.close(),
  };
}

/** Only the logger of `openLog`, for who needs neither its counters nor a way to close it. */
export function createLogger(options: LogOptions): Logger {
  return openLog(options).logger;
}

/** Characters that change how others are shown (e.g. right to left), or end a line for some: as JSON escapes them. */
function escapeHidden(line: string): string {
  return line.replaceAll(/[\p{Cf}\p{Zl}\p{Zp}\u007f-\u009f]/gu, (character) =>
    Array.from({ length: character.length }, (_, n) => character.charCodeAt(n))
      .map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`)
      .join(""),
  );
}

function timestampFields(wallMs: number): string {
  return `,"ts":"${new Date(wallMs).toISOString()}","unix_ts":${Math.floor(wallMs / 1000)}`;
}

function flattenError(fields: Record<string, unknown>): Record<string, unknown> {
  const { err, ...rest } = fields;
  if (!(err instanceof Error)) return fields;
  return { ...rest, error: err.message, error_type: err.name, error_stack: err.stack };
}

function prettySink(sink: LineSink, onStdout: boolean): LineSink {
  const prettify = pinoPretty.prettyFactory({
    colorize: onStdout && isatty(1),
    messageKey: "message",
    timestampKey: "ts",
    ignore: "unix_ts,job",
    singleLine: true,
    translateTime: false,
  });
  return { write: (line) => sink.write(escapeHidden(prettify(line))) };
}
