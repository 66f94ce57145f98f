import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test, vi } from "vitest";
import { parse } from "yaml";
import { run } from "../../src/cli/index.ts";
import { temporaryDirectory } from "../../src/services/kit/kit.testkit.ts";
import { startServiceFromEnv } from "../../src/services/registry.ts";
import { commandLines, commandsOf, fenced, heliusArgs, type Words } from "./commands.ts";

// What a document tells people to type is there: scripts, commands, flags, files, services, and the answers shown.

const root = fileURLToPath(new URL("../../", import.meta.url));
const read = (path: string) => readFileSync(join(root, path), "utf8");
const documents = [
  ...globSync("*.md", { cwd: root }),
  ...globSync("{docs,deploy,bench,config}/**/*.md", { cwd: root }),
].sort();
const manifest = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
const compose = parse(read("docker-compose.yml")) as { services: Record<string, unknown> };

afterEach(() => vi.restoreAllMocks());

/** Names of the flags that a command of helius takes; undefined: no such command. */
async function flagsOf(command: string): Promise<readonly string[] | undefined> {
  const known = helps.get(command);
  if (known !== undefined) return known;
  const said: string[] = [];
  const take = (text: unknown) => said.push(String(text)) > 0;
  vi.spyOn(process.stdout, "write").mockImplementation(take);
  vi.spyOn(process.stderr, "write").mockImplementation(() => true);
  const code = await run({
    argv: [command, "--help"],
    env: {},
    stop: new AbortController().signal,
    onReload: () => {},
  });
  vi.restoreAllMocks();
  if (code !== 0) return undefined;
  const flags = [...said.join("").matchAll(/^\s+--([\w.-]+)/gm)].map((m) => m[1] as string);
  helps.set(command, flags);
  return flags;
}
const helps = new Map<string, readonly string[]>();

/** What is wrong with a call of helius; undefined: nothing. */
async function wrongCall([command, ...rest]: Words): Promise<string | undefined> {
  if (command === undefined) return "no command";
  if (command === "--version" || command === "--help") return undefined;
  const flags = await flagsOf(command);
  if (flags === undefined) return `no command ${command}`;
  const given = rest.filter((word) => word.startsWith("--") && word !== "--help");
  const unknown = given.filter((word) => !flags.includes(word.slice(2).split("=")[0] as string));
  return unknown.length === 0 ? undefined : `helius ${command} has no ${unknown.join(", ")}`;
}

const NPM = ["ci", "start", "test", "audit"];
/** Of docker compose: which take names of services. */
const COMPOSE = ["up", "down", "ps", "build", "logs", "exec", "stop", "start", "restart", "pull"];
const TOOLS = [
  "curl",
  "git",
  "docker",
  "sleep",
  "grep",
  "cat",
  "tar",
  "export",
  "promtool",
  "amtool",
  "psql",
];

async function wrong(words: Words): Promise<string | undefined> {
  const args = heliusArgs(words);
  if (args !== undefined) return wrongCall(args);
  const [program = "", ...rest] = words;
  const plain = rest.filter((word) => !word.startsWith("-"));
  if (program === "npm") {
    if (plain[0] === "run") return wrongScript(plain[1]);
    return NPM.includes(plain[0] ?? "") ? undefined : `npm ${plain[0]}`;
  }
  if (program === "node" || program === "npx") {
    const paths = plain.filter((word) => word.includes("/"));
    return paths.every((path) => globSync(path, { cwd: root }).length > 0) ? undefined : paths.join(" ");
  }
  if (program === "docker" && rest[0] === "compose") return wrongCompose(plain.slice(1));
  if (TOOLS.includes(program)) return undefined;
  return existsSync(join(root, program))
    ? undefined
    : `${program} is nothing that these documents may ask for`;
}

function wrongScript(script: string | undefined): string | undefined {
  return script !== undefined && script in manifest.scripts ? undefined : `npm run ${script}`;
}

function wrongCompose([command = "", service]: Words): string | undefined {
  if (!COMPOSE.includes(command)) return `docker compose ${command}`;
  return service === undefined || service in compose.services ? undefined : `no service ${service}`;
}

describe.each(documents)("%s", (document) => {
  test("tells people to type only what is there", async () => {
    for (const line of commandLines(read(document)))
      for (const command of commandsOf(line)) expect(await wrong(command), line).toBeUndefined();
  });
});

test("commands are found, and wrong ones are", async () => {
  const lines = documents.flatMap((document) => commandLines(read(document)));
  expect(lines.length).toBeGreaterThan(30);
  expect(lines.filter((line) => line.includes("helius")).length).toBeGreaterThan(8);
  const bad = [
    "npm run nothing",
    "helius nothing",
    "helius replay --nothing=1",
    "AUTO_HEAL=0 npm run --silent helius -- monitor --auto-heall",
    "docker compose logs -f nobody",
    "node src/nowhere.ts",
    "npm ci && frobnicate",
  ];
  for (const line of bad) {
    const found = await Promise.all(commandsOf(line).map(wrong));
    expect(
      found.filter((x) => x !== undefined),
      line,
    ).toHaveLength(1);
  }
  const block = "```console\n$ curl \\\n    'a b'\nanswer\n```\n   ```sh\n   npm ci    # why\n   ```\n";
  expect(commandLines(block)).toEqual(["npm ci", "curl 'a b'"]);
  expect(commandsOf("A=1 x 'a b' | y > z")).toEqual([["x", "a b"], ["y"]]);
});

test("README: the calls of the demonstration are answered as it says", async () => {
  const folder = temporaryDirectory();
  const service = await startServiceFromEnv(
    "product-api",
    { HELIUS_DATA_DIR: folder.path, ADMIN_TOKEN: "secret" },
    { "web.listen-address": "127.0.0.1:0" },
    { write: () => {} },
  );
  try {
    const calls = fenced(read("README.md"), ["console"]).map((block) => block.trim().split("\n"));
    expect(calls.length).toBe(2);
    for (const [line = "", shown = ""] of calls) {
      const words = commandsOf(line.replace(/^\$ /, ""))[0] ?? [];
      const url = words.find((word) => word.startsWith("http://127.0.0.1:8000")) ?? "";
      const header = words[words.indexOf("-H") + 1]?.split(": ") ?? [];
      const answer = await fetch(url.replace("http://127.0.0.1:8000", service.url), {
        method: words[words.indexOf("-X") + 1] ?? "GET",
        headers: { [header[0] ?? ""]: header[1] ?? "" },
      });
      expect(await answer.json(), line).toEqual(JSON.parse(shown));
    }
  } finally {
    await service.close();
    folder.remove();
  }
});
