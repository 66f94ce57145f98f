/** What a command gets of the process. */
export interface CommandContext {
  /** Arguments after the command's name. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted at SIGINT or SIGTERM. */
  readonly stop: AbortSignal;
  /** Called at SIGHUP. */
  readonly onReload: (reload: () => void) => void;
}

/** One command of the program. One file of `src/cli` each. */
export interface Command {
  readonly name: string;
  /** The whole `--help`. */
  help(): string;
  /** @returns the exit code. Throws `UsageError` for wrong arguments. */
  run(context: CommandContext): Promise<number>;
}

/** The command line is wrong: exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Resolves once the process is told to stop. */
export function stopped(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
