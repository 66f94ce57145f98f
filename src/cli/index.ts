import { existsSync } from "node:fs";
import { readBuildInfo } from "../common/telemetry/build-info.ts";
import { ConfigError } from "../monitor/config/errors.ts";
import { type Command, type CommandContext, UsageError } from "./command.ts";

interface Entry {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** Only the command that runs is loaded: it may need the whole program. */
  readonly load: () => Promise<Command>;
  /** Its file, where an installation may do without it. */
  readonly optional?: URL;
}

/** Every command, in the order of the help. */
const commands: readonly Entry[] = [
  {
    name: "up",
    summary: "start every service, load and the monitor on this machine",
    load: async () => (await import("./up.ts")).upCommand,
  },
  {
    name: "monitor",
    summary: "watch the configured targets, forecast, and heal them",
    load: async () => (await import("./monitor.ts")).monitorCommand,
  },
  {
    name: "service",
    summary: "run one Helius service",
    load: async () => (await import("./service.ts")).serviceCommand,
  },
  {
    name: "replay",
    summary: "show what the monitor would have done over the past",
    load: async () => (await import("./replay.ts")).replayCommand,
  },
  {
    name: "drill",
    summary: "stage an incident on this machine, with and without healing, and measure",
    load: async () => (await import("./drill.ts")).drillCommand,
    optional: new URL("./drill.ts", import.meta.url),
  },
  {
    name: "check-config",
    summary: "check a configuration file and show what it comes to",
    load: async () => (await import("./check-config.ts")).checkConfigCommand,
  },
];

const isInstalled = ({ optional }: Entry) => optional === undefined || existsSync(optional);

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
  const entry = commands.find((c) => c.name === name);
  if (entry === undefined) return complain(`unknown command "${name}"\n\n${overview()}`, 2);
  if (!isInstalled(entry)) return complain(`helius ${name} is not part of this installation\n`, 2);
  const command = await entry.load();
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
  "ServiceConfigError",
  "StoreError",
  "LedgerInUseError",
  "FolderError",
  "ProgramMissingError",
]);

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

function complain(text: string, code: number): number {
  process.stderr.write(text);
  return code;
}

function overview(): string {
  const installed = commands.filter(isInstalled);
  const width = Math.max(...installed.map((c) => c.name.length)) + 2;
  return `helius COMMAND [flags]

${installed.map((c) => `  ${c.name.padEnd(width)}${c.summary}`).join("\n")}

helius COMMAND --help shows a command's flags.
`;
}
