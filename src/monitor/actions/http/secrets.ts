import { readFileSync } from "node:fs";

const PRINTABLE = /^[\x21-\x7e](?:[\x20-\x7e]{0,8190}[\x21-\x7e])?$/;

/**
 * The values of headers from the first lines of their files, read each time, so that a rotated secret is used at once.
 * A problem names the header and its file, never what is in it.
 */
export function readSecrets(
  files: Readonly<Record<string, string>>,
): { readonly headers: Readonly<Record<string, string>> } | { readonly problem: string } {
  const headers: Record<string, string> = {};
  for (const [name, file] of Object.entries(files)) {
    let text: string;
    try {
      text = readFileSync(file, "utf8");
    } catch (error) {
      const why = (error as NodeJS.ErrnoException).code ?? "cannot be read";
      return { problem: `the file of the header ${name}, ${file}: ${why}` };
    }
    const value = text.split("\n", 1)[0]?.trim() ?? "";
    if (!PRINTABLE.test(value)) {
      return {
        problem: `the file of the header ${name}, ${file}: its first line must be printable ASCII, not empty`,
      };
    }
    headers[name] = value;
  }
  return { headers };
}
