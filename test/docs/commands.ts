/** A command as a document has it: the words, quotes taken off. */
export type Words = readonly string[];

/** Fenced blocks of a language, their indentation taken off. */
export function fenced(text: string, languages: readonly string[]): string[] {
  return [...text.matchAll(/^([ ]*)```(\w+)\n([\s\S]*?)^\1```/gm)]
    .filter(([, , language]) => languages.includes(language ?? ""))
    .map(([, indent = "", , body = ""]) => body.replaceAll(new RegExp(`^${indent}`, "gm"), ""));
}

/** Every command line of a document: all lines of `sh` blocks, those after `$` in `console` blocks; continued lines joined. */
export function commandLines(text: string): string[] {
  const join = (block: string) => block.replaceAll(/\\\n\s*/g, "");
  const typed = fenced(text, ["sh", "bash"]).flatMap((block) => join(block).split("\n"));
  const shown = fenced(text, ["console"])
    .flatMap((block) => join(block).split("\n"))
    .filter((line) => line.startsWith("$ "))
    .map((line) => line.slice(2));
  return [...typed, ...shown].map((line) => line.replace(/\s+#.*$/, "").trim()).filter((line) => line !== "");
}

const SEPARATORS = ["&&", "||", "|", ";", "do", "done", "while"];

/** The single commands of a line, without what a shell sets or redirects. */
export function commandsOf(line: string): Words[] {
  const words = [...line.replaceAll(";", " ; ").matchAll(/(?:[^\s'"]+|'[^']*'|"[^"]*")+/g)].map(([word]) =>
    word.replaceAll(/'([^']*)'|"([^"]*)"/g, (_, one?: string, two?: string) => one ?? two ?? ""),
  );
  const commands: string[][] = [[]];
  for (const word of words) {
    if (SEPARATORS.includes(word)) commands.push([]);
    else commands.at(-1)?.push(word);
  }
  return commands
    .map((command) => {
      const first = command.findIndex((word) => !/^[A-Z_]+=/.test(word));
      const plain = first < 0 ? [] : command.slice(first);
      const redirect = plain.findIndex((word) => /^[<>]/.test(word));
      return redirect < 0 ? plain : plain.slice(0, redirect);
    })
    .filter((command) => command.length > 0);
}

/** The arguments of `helius`, however it is called; undefined for another command. */
export function heliusArgs(words: Words): Words | undefined {
  const ways: readonly Words[] = [
    ["helius"],
    ["npx", "helius"],
    ["node", "src/main.ts"],
    ["node", "bin/helius.js"],
    ["npm", "run", "helius", "--"],
    ["npm", "run", "--silent", "helius", "--"],
  ];
  const way = ways.find((start) => start.every((word, i) => words[i] === word));
  return way === undefined ? undefined : words.slice(way.length);
}
