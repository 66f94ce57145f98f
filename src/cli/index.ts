import { ConfigError } from "../config/types.ts";
import { readBuildInfo } from "../telemetry/build-info.ts";
import { checkConfigCommand } from "./check-config.ts";
import { type Command, type CommandContext, UsageError } from "./command.ts";
import { monitorCommand } from "./monitor.ts";
import { replayCommand } from "./replay.ts";
import { serviceCommand } from "./service.ts";
import { upCommand } from "./up.ts";

/** Every command, in the order of the help. */
const commands: readonly Command[] = [
  upCommand,
  monitorCommand,
  serviceCommand,
  replayCommand,
  checkConfigCommand,
];

export interface Process extends Omit<CommandContext, "args"> {
  readonly argv: readonly string[];
}

/**
 * Runs the command line.
 * @returns the exit code: 0 well, 1 it failed, 2 the command line is wrong.
 */
export async function run({ argv, ...rest }: Process): Promise<number> {
  const [name, ...args] = argv;
  if (name === "--version" || name === "version") {
    const { version, revision } = readBuildInfo(rest.env);
    process.stdout.write(`helius ${version} (${revision})\n`);
    return 0;
  }
  if (name === undefined || name === "help" || name === "--help" || name === "-h") {
    process.stdout.write(overview());
    return name === undefined ? 2 : 0;
  }
  const command = commands.find((c) => c.name === name);
  if (command === undefined) return complain(`unknown command "${name}"\n\n${overview()}`, 2);
  if (args.includes("--help") || args.includes("-h")) {
    process.stdout.write(`${command.help()}\n`);
    return 0;
  }
  try {
    return await command.run({ args, ...rest });
  } catch (error) {
    if (error instanceof UsageError) return complain(`helius ${name}: ${error.message}\n`, 2);
    if (error instanceof ConfigError) return complain(`${error.message}\n`, 1);
    const expected = error instanceof Error && EXPECTED.has(error.name);
    return complain(`helius ${name}: ${expected ? error.message : stackOf(error)}\n`, 1);
  }
}

/** Errors whose message says all there is to say; any other is a defect and shows its stack. */
const EXPECTED = new Set([
  "ListenError",
  "PortInUseError",
  "ServiceConfigError",
  "StoreError",
  "LedgerInUseError",
]);

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

function complain(text: string, code: number): number {
  process.stderr.write(text);
  return code;
}

function overview(): string {
  const width = Math.max(...commands.map((c) => c.name.length)) + 2;
  return `helius COMMAND [flags]

${commands.map((c) => `  ${c.name.padEnd(width)}${c.summary}`).join("\n")}

helius COMMAND --help shows a command's flags.
`;
}
