import { execFile } from "node:child_process";
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { delimiter, dirname, join, resolve } from "node:path";

/** Real programs that tests talk to. */
export type ServerName =
  | "prometheus"
  | "promtool"
  | "alertmanager"
  | "amtool"
  | "nats-server"
  | "mosquitto"
  | "chromium"
  | "strace"
  | "faketime";

interface MissingServer {
  readonly name: ServerName;
  /** What a person can do about it. */
  readonly howToInstall: string;
}

export interface ServersReport {
  /** Absolute path of each program found or installed. */
  readonly found: Record<string, string>;
  readonly missing: MissingServer[];
}

interface Recipe {
  readonly debianPackage: string;
  /** Names on PATH, best first. */
  readonly commands: readonly string[];
  /** Program inside the unpacked package, from its root. */
  readonly unpacked: string;
}

const RECIPES: Record<ServerName, Recipe> = {
  prometheus: { debianPackage: "prometheus", commands: ["prometheus"], unpacked: "usr/bin/prometheus" },
  promtool: { debianPackage: "prometheus", commands: ["promtool"], unpacked: "usr/bin/promtool" },
  alertmanager: {
    debianPackage: "prometheus-alertmanager",
    commands: ["alertmanager", "prometheus-alertmanager"],
    unpacked: "usr/bin/prometheus-alertmanager",
  },
  amtool: { debianPackage: "prometheus-alertmanager", commands: ["amtool"], unpacked: "usr/bin/amtool" },
  "nats-server": {
    debianPackage: "nats-server",
    commands: ["nats-server"],
    unpacked: "usr/sbin/nats-server",
  },
  mosquitto: { debianPackage: "mosquitto", commands: ["mosquitto"], unpacked: "usr/sbin/mosquitto" },
  // Debian's /usr/bin/chromium is a script with absolute paths: unpacked, the program itself is started.
  chromium: { debianPackage: "chromium", commands: ["chromium"], unpacked: "usr/lib/chromium/chromium" },
  strace: { debianPackage: "strace", commands: ["strace"], unpacked: "usr/bin/strace" },
  faketime: { debianPackage: "faketime", commands: ["faketime"], unpacked: "usr/bin/faketime" },
};

/** Daemons lie in sbin, which an ordinary user's PATH lacks. */
const EXTRA_FOLDERS = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/bin"];
const INSTALL_TIMEOUT_MS = 300_000;

type Run = (command: string, args: readonly string[], options?: { readonly cwd?: string }) => Promise<string>;

/** The machine, as far as finding and installing goes; replaced in tests. */
export interface Host {
  readonly path: string;
  readonly isRoot: boolean;
  readonly cacheDir: string;
  readonly log: (line: string) => void;
  readonly run: Run;
  /** Absolute path of an executable of that name, outside the cache. */
  which(command: string): string | undefined;
}

/** Absolute path of the repository's cache for unpacked servers. */
const CACHE_DIR = resolve(import.meta.dirname, "../../.cache/servers");

/** The machine this runs on. */
function thisHost(): Host {
  const path = process.env.PATH ?? "";
  return {
    path,
    isRoot: process.getuid?.() === 0,
    cacheDir: CACHE_DIR,
    log: (line) => console.error(`[servers] ${line}`),
    run,
    which: (command) => {
      for (const folder of [...path.split(delimiter), ...EXTRA_FOLDERS]) {
        const candidate = join(folder, command);
        if (folder !== "" && isExecutable(candidate)) return realpathSync(candidate);
      }
      return undefined;
    },
  };
}

/** Where the servers already are: on PATH, in the usual folders, or in the cache. Installs nothing. */
export function findServers(names: readonly ServerName[], host: Host = thisHost()): ServersReport {
  const found: Record<string, string> = {};
  const missing: MissingServer[] = [];
  for (const name of names) {
    const path = locate(name, host);
    if (path !== undefined) found[name] = path;
    else missing.push({ name, howToInstall: `apt-get install ${RECIPES[name].debianPackage}` });
  }
  return { found, missing };
}

/**
 * Finds each server, and installs what is not there: as root on Debian through apt-get; as an ordinary user on Debian
 * by unpacking the package and the libraries it lacks into `.cache/servers/`. What remains is in `missing`, with what
 * to do about it. Never throws.
 */
export async function ensureServers(
  names: readonly ServerName[],
  host: Host = thisHost(),
): Promise<ServersReport> {
  const before = findServers(names, host);
  if (before.missing.length === 0) return before;
  const problems = new Map<string, string>();
  if (host.which("apt-get") === undefined) {
    for (const { name } of before.missing)
      problems.set(RECIPES[name].debianPackage, "this is not a Debian system");
  } else {
    for (const name of new Set(before.missing.map((entry) => entry.name))) {
      const { debianPackage } = RECIPES[name];
      if (problems.has(debianPackage) || locate(name, host) !== undefined) continue;
      try {
        await install(name, host);
      } catch (error) {
        problems.set(debianPackage, error instanceof Error ? error.message : String(error));
      }
    }
  }
  const after = findServers(names, host);
  const missing = after.missing.map(({ name, howToInstall }) => {
    const problem = problems.get(RECIPES[name].debianPackage) ?? "the package does not hold the program";
    return { name, howToInstall: `${howToInstall} (tried: ${problem})` };
  });
  return { found: after.found, missing };
}

async function install(name: ServerName, host: Host): Promise<void> {
  const { debianPackage } = RECIPES[name];
  host.log(`installing ${debianPackage}`);
  if (host.isRoot) {
    const args = ["-o", "DPkg::Lock::Timeout=120", "install", "-y", "--no-install-recommends", debianPackage];
    await withLists(host, [], () => host.run("apt-get", args));
    return;
  }
  if (name === "faketime")
    throw new Error("faketime loads its library by absolute path and must be installed by root");
  await unpackForUser(name, host);
}

/** Runs an apt-get command; when it fails, refreshes the package lists once and tries again. */
async function withLists(
  host: Host,
  options: readonly string[],
  command: () => Promise<string>,
): Promise<string> {
  try {
    return await command();
  } catch {
    host.log("refreshing package lists");
    await host.run("apt-get", [...options, "-o", "DPkg::Lock::Timeout=120", "update"]);
    return command();
  }
}

async function unpackForUser(name: ServerName, host: Host): Promise<void> {
  const { debianPackage, unpacked } = RECIPES[name];
  const root = join(host.cacheDir, debianPackage);
  const archives = join(host.cacheDir, "archives", debianPackage);
  mkdirSync(archives, { recursive: true });
  // First with the system's package lists; where there are none, with lists of our own, which needs no rights.
  const own = privateApt(join(host.cacheDir, "apt"));
  let options: readonly string[] = [];
  let simulation: string;
  try {
    simulation = await simulate(host, options, debianPackage);
  } catch {
    options = own;
    simulation = await withLists(host, options, () => simulate(host, options, debianPackage));
  }
  const packages = toInstall(simulation);
  await host.run("apt-get", [...options, "download", ...packages], { cwd: archives });
  rmSync(root, { recursive: true, force: true });
  for (const file of readdirSync(archives)) {
    if (file.endsWith(".deb")) await host.run("dpkg", ["-x", join(archives, file), root]);
  }
  rmSync(archives, { recursive: true, force: true });
  if (!existsSync(join(root, unpacked))) throw new Error(`${debianPackage} holds no ${unpacked}`);
  writeLauncher(name, host);
}

function simulate(host: Host, options: readonly string[], debianPackage: string): Promise<string> {
  return host.run("apt-get", [...options, "install", "--simulate", "--no-install-recommends", debianPackage]);
}

/** Names after `Inst` in the output of a simulated installation: the package and the dependencies that are missing. */
export function toInstall(simulation: string): string[] {
  const names = [...simulation.matchAll(/^Inst (\S+)/gm)].map((match) => match[1] ?? "");
  if (names.length === 0) throw new Error("apt-get would install nothing");
  return names;
}

function privateApt(folder: string): string[] {
  for (const sub of ["lists/partial", "cache/archives/partial"])
    mkdirSync(join(folder, sub), { recursive: true });
  return ["-o", `Dir::State::Lists=${join(folder, "lists")}`, "-o", `Dir::Cache=${join(folder, "cache")}`];
}

/** A shell script that starts the unpacked program with the unpacked libraries. */
function writeLauncher(name: ServerName, host: Host): void {
  const { debianPackage, unpacked } = RECIPES[name];
  const root = join(host.cacheDir, debianPackage);
  const libraries = ["usr/lib", "lib"]
    .flatMap((folder) => [join(root, folder), ...subfolders(join(root, folder))])
    .filter((folder) => existsSync(folder) && readdirSync(folder).some((file) => file.includes(".so")));
  const launcher = launcherPath(name, host);
  mkdirSync(dirname(launcher), { recursive: true });
  const path = libraries.map((folder) => `'${folder}'`).join(":");
  // An empty element would mean the working directory: add what was set before only where something was.
  const variable = `LD_LIBRARY_PATH=${path}"\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"`;
  const text = `#!/bin/sh\nexport ${variable}\nexec '${join(root, unpacked)}' "$@"\n`;
  writeFileSync(launcher, text, { mode: 0o755 });
}

function subfolders(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const entries = readdirSync(folder, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map((entry) => join(folder, entry.name));
}

function launcherPath(name: ServerName, host: Host): string {
  return join(host.cacheDir, "bin", name);
}

function locate(name: ServerName, host: Host): string | undefined {
  for (const command of RECIPES[name].commands) {
    const path = host.which(command);
    if (path !== undefined) return path;
  }
  const launcher = launcherPath(name, host);
  if (isExecutable(launcher)) return launcher;
  // One package may hold several programs; a launcher is cheap to write for the second.
  if (isExecutable(join(host.cacheDir, RECIPES[name].debianPackage, RECIPES[name].unpacked))) {
    writeLauncher(name, host);
    return launcher;
  }
  return undefined;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

const run: Run = (command, args, options) =>
  new Promise((done, fail) => {
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1", LC_ALL: "C" };
    const settings = { env, cwd: options?.cwd, timeout: INSTALL_TIMEOUT_MS, maxBuffer: 64 * 1024 * 1024 };
    execFile(command, [...args], settings, (error, stdout, stderr) => {
      if (!error) return done(stdout);
      const last = stderr.trim().split("\n").at(-1) ?? error.message;
      return fail(new Error(`${command} ${args.at(-1) ?? ""}: ${last}`));
    });
  });
