import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { waitFor } from "../setup/ports.ts";
import { type Compose, inRepository, readCompose, readRepository } from "./compose.ts";
import { copies, environment, execForm, isIgnored, lastStage, only, parseDockerfile } from "./dockerfile.ts";

// No container engine is needed: the folder that the image would hold is laid out from the Dockerfile's own COPY
// lines, and the very command lines of the image and of compose are started in it, on other ports and data folders.

export const compose: Compose = readCompose();
export const stage = lastStage(parseDockerfile(readRepository("Dockerfile")));
export const entrypoint = execForm(only(stage, "ENTRYPOINT"));

export interface Started {
  readonly child: ChildProcess;
  readonly output: () => string;
}

/** What the image would hold, laid out in a temporary folder, and the processes started in it. */
export interface Image {
  /** Folder for what the processes write. */
  readonly folder: string;
  /** The image's working directory. */
  readonly app: string;
  /** Starts words as a container would: in the image's folder, with the image's and the given environment only. */
  start(words: readonly string[], env: Readonly<Record<string, string>>): Started;
  /** Runs a health check until it says well, or gives up. */
  becomesHealthy(words: readonly string[], what: Started): Promise<void>;
  /** Kills what still runs, and removes everything. */
  end(): Promise<void>;
}

export function layOut(): Image {
  const folder = mkdtempSync(join(tmpdir(), "helius-image-"));
  const app = join(folder, "app");
  const children: ChildProcess[] = [];
  mkdirSync(app);
  const ignore = readRepository(".dockerignore");
  for (const { from, to } of copies(stage)) {
    mkdirSync(dirname(resolve(app, to)), { recursive: true });
    cpSync(inRepository(from), resolve(app, to), {
      recursive: true,
      filter: (source) => !isIgnored(ignore, relative(inRepository("."), source)),
    });
  }
  for (const name of productionPackages()) {
    mkdirSync(dirname(join(app, name)), { recursive: true });
    symlinkSync(inRepository(name), join(app, name));
  }
  const start = (words: readonly string[], env: Readonly<Record<string, string>>): Started => {
    const [program, ...args] = words;
    if (program !== "node") throw new Error(`the image has no ${program}`);
    const child = spawn(process.execPath, args, { cwd: app, env: { ...environment(stage), ...env } });
    children.push(child);
    let text = "";
    for (const stream of [child.stdout, child.stderr])
      stream?.on("data", (chunk: Buffer) => {
        text += chunk.toString();
      });
    return { child, output: () => text };
  };
  return {
    folder,
    app,
    start,
    async becomesHealthy(words, what) {
      await waitFor(
        async () => {
          if (what.child.exitCode !== null)
            throw new Error(`ended with ${what.child.exitCode}: ${what.output()}`);
          return (await exitCode(start(words, {}))) === 0;
        },
        { what: `${words.join(" ")} to succeed`, timeoutMs: 30_000, everyMs: 200 },
      ).catch((error: Error) => {
        throw new Error(`${error.message}; it said:\n${what.output().slice(-2000)}`);
      });
    },
    async end() {
      for (const child of children.splice(0)) {
        if (child.exitCode !== null || child.signalCode !== null) continue;
        const ended = once(child, "exit");
        child.kill("SIGKILL");
        await ended;
      }
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Folders of the packages that `npm ci --omit=dev` installs for our own code to import. */
function productionPackages(): string[] {
  const { packages } = JSON.parse(readRepository("package-lock.json")) as {
    packages: Record<string, { readonly dev?: boolean }>;
  };
  return Object.keys(packages).filter(
    (path) =>
      /^node_modules\/(?:@[^/]+\/)?[^/]+$/.test(path) &&
      packages[path]?.dev !== true &&
      existsSync(inRepository(path)),
  );
}

/** Waits for the end. */
export async function exitCode({ child }: Started): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  return child.exitCode;
}

/** The words of a service's health check, on another port. */
export function healthcheck(service: string, port: number): string[] {
  const [kind, ...words] = compose.services[service]?.healthcheck?.test ?? [];
  if (kind !== "CMD") throw new Error(`the health check of ${service} is not in the exec form`);
  return words.map((word) => word.replace(/(?<=127\.0\.0\.1:)\d+/, String(port)));
}

export function commandOf(service: string): string[] {
  const { entrypoint: own, command = [] } = compose.services[service] ?? {};
  // Secrets lie elsewhere on this machine.
  const words = command.map((word) =>
    word.replace(/(?<==)\/run\/secrets\/(\w+)$/, (_, secret: string) => secretFile(secret)),
  );
  return [...(own ?? entrypoint), ...words];
}

/** The file of a secret on this machine. */
function secretFile(secret: string): string {
  return inRepository(compose.secrets[secret]?.file ?? "");
}

/** What compose gives a service, with its secrets and its log where they are on this machine, and other addresses. */
export function environmentOf(
  service: string,
  at: { readonly folder: string; readonly addresses?: Readonly<Record<string, string>> },
): Record<string, string> {
  const given = Object.entries(compose.services[service]?.environment ?? {});
  const moved = (value: string): string => {
    const secret = /^\/run\/secrets\/(\w+)$/.exec(value)?.[1];
    if (secret !== undefined) return secretFile(secret);
    if (value.startsWith("/logs/")) return join(at.folder, value);
    const host = /^\w+:\/\/([^/]+)/.exec(value)?.[1] ?? "";
    return value.replace(host, at.addresses?.[host] ?? host);
  };
  return Object.fromEntries(given.map(([name, value]) => [name, moved(String(value))]));
}
