import { matchesGlob } from "node:path";

export interface Instruction {
  readonly keyword: string;
  readonly args: string;
}

/** A Dockerfile as the list of its instructions: comments gone, continued lines joined. */
export function parseDockerfile(text: string): Instruction[] {
  const lines = text.split("\n").filter((line) => !/^\s*#/.test(line));
  const joined = lines.join("\n").replaceAll(/\\\n\s*/g, "");
  return joined
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => {
      const match = /^([A-Z]+)\s+(.*)$/.exec(line.trim());
      if (match === null) throw new Error(`not an instruction: ${line}`);
      return { keyword: match[1] as string, args: match[2] as string };
    });
}

/** The instructions of the last stage: what the image is. */
export function lastStage(instructions: readonly Instruction[]): Instruction[] {
  return instructions.slice(instructions.findLastIndex((i) => i.keyword === "FROM"));
}

/** Arguments of the only instruction of that kind, in its last stage. */
export function only(stage: readonly Instruction[], keyword: string): string {
  const found = stage.filter((i) => i.keyword === keyword);
  if (found.length !== 1) throw new Error(`${found.length} ${keyword} instructions, expected one`);
  return (found[0] as Instruction).args;
}

/** Words of an instruction in the exec form, `["a", "b"]`, which no shell touches. */
export function execForm(args: string): string[] {
  const words: unknown = JSON.parse(args);
  if (!Array.isArray(words) || !words.every((w) => typeof w === "string"))
    throw new Error(`not exec form: ${args}`);
  return words;
}

/** Variables that ENV sets, after the defaults of ARG. */
export function environment(stage: readonly Instruction[]): Record<string, string> {
  const args = Object.fromEntries(
    stage.filter((i) => i.keyword === "ARG").map((i) => i.args.split("=") as [string, string]),
  );
  const env: Record<string, string> = {};
  for (const { args: text } of stage.filter((i) => i.keyword === "ENV"))
    for (const [, name, value] of text.matchAll(/(\w+)=("[^"]*"|\S+)/g))
      env[name as string] = (value as string)
        .replaceAll('"', "")
        .replaceAll(/\$\{(\w+)\}/g, (_, key: string) => args[key] ?? "");
  return env;
}

/** Files and folders that COPY takes from the checkout, and where they go, relative to WORKDIR. */
export function copies(instructions: readonly Instruction[]): { from: string; to: string }[] {
  return instructions
    .filter((i) => i.keyword === "COPY" && !i.args.includes("--from="))
    .flatMap(({ args }) => {
      const words = args.split(/\s+/);
      const to = words.at(-1) as string;
      return words.slice(0, -1).map((from) => ({ from, to: to.endsWith("/") ? `${to}${from}` : to }));
    });
}

/** Whether `.dockerignore` keeps a path from the build: the last pattern that matches it, or a folder above it, decides. */
export function isIgnored(dockerignore: string, path: string): boolean {
  let ignored = false;
  const parts = shown(path).split("/");
  for (const line of dockerignore.split("\n").map((l) => l.trim())) {
    if (line === "" || line.startsWith("#")) continue;
    const pattern = shown(line.replace(/^!/, ""));
    if (parts.some((_, n) => matchesGlob(parts.slice(0, n + 1).join("/"), pattern)))
      ignored = !line.startsWith("!");
  }
  return ignored;
}

/** Docker's `*` matches a leading dot, Node's does not: no name starts with one here. */
function shown(path: string): string {
  return path.replaceAll(/(^|\/)\./g, "$1dot-");
}
