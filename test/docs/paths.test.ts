import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

// A document that names what does not exist is worse than none.

const root = fileURLToPath(new URL("../../", import.meta.url));
const documents = [
  ...globSync("*.md", { cwd: root }),
  ...globSync("{docs,src,test,config,deploy,alertmanager,grafana,loki,prometheus}/**/*.md", {
    cwd: root,
  }),
].sort();
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  scripts: Record<string, string>;
};

const TOP =
  /^(?:src|test|docs|config|alertmanager|prometheus|grafana|loki|deploy|tools|bin|\.ci|\.github)(?:\/|$)/;
const ROOT_FILE = /^(?:Dockerfile|LICENSE|[\w.-]+\.(?:md|json|yml|yaml))$/;

function read(document: string): string {
  return readFileSync(join(root, document), "utf8");
}

/** Text outside fenced blocks, where `inline code` may name a path. */
function prose(text: string): string {
  return text.replaceAll(/^```[\s\S]*?^```/gm, "");
}

/** Paths of the repository that a document names in inline code; those with a PLACEHOLDER are left out. */
function namedPaths(text: string): string[] {
  const codes = [...prose(text).matchAll(/`([^`\n]+)`/g)].map((m) => m[1] as string);
  const words = codes.flatMap((code) => (code.includes("://") ? [] : code.split(/[\s,]+/)));
  return words
    .map((word) => word.replace(/[.:;]$/, ""))
    .filter((word) => TOP.test(word) || ROOT_FILE.test(word))
    .filter((word) => !/(?:^|\/)(?:NAME|FILE|FOLDER)(?:\/|$)|[<>$…]/.test(word))
    .map((word) => word.replace(/#.*$/, "").replace(/:\d+(?::\d+)?$/, ""));
}

/** Anchors as they are made of headings: lower case, words joined by dashes. */
function anchors(text: string): Set<string> {
  const headings = [...prose(text).matchAll(/^#+ (.+)$/gm)].map((m) => m[1] as string);
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
        .trim()
        .replaceAll(" ", "-"),
    ),
  );
}

function relativeLinks(text: string): string[] {
  const inline = [...prose(text).matchAll(/\]\(([^)\s]+)\)/g)].map((m) => m[1] as string);
  const named = [...prose(text).matchAll(/^\[[^\]]+\]:\s+(\S+)$/gm)].map((m) => m[1] as string);
  return [...inline, ...named].filter((link) => !/^[a-z]+:/.test(link));
}

test("the documents are found", () => {
  expect(documents).toEqual(
    expect.arrayContaining(["README.md", "docs/decision.md", "docs/adr/0003-linear-predictor.md"]),
  );
  const named = documents.flatMap((document) => namedPaths(read(document)));
  expect(named.length).toBeGreaterThan(60);
});

describe.each(documents)("%s", (document) => {
  const text = read(document);
  const folder = dirname(join(root, document));

  test("names only paths that exist", () => {
    // A file whose text the document gives is not there yet.
    const given = [...text.matchAll(/^`([^`]+)`:\n\n```/gm)].map((m) => m[1]);
    for (const named of namedPaths(text).filter((path) => !given.includes(path))) {
      // `file.ts:function` names a function of a file, which architecture.test.ts looks at.
      const path = named.replace(/\.ts:\w+$/, ".ts");
      const exists = path.includes("*")
        ? globSync(path, { cwd: root }).length > 0
        : existsSync(join(root, path)) || existsSync(join(folder, path));
      expect(exists, path).toBe(true);
    }
  });

  test("links only to files and headings that exist", () => {
    for (const link of relativeLinks(text)) {
      const [file = "", anchor] = link.split("#");
      const target = file === "" ? join(root, document) : resolve(folder, file);
      expect(existsSync(target), link).toBe(true);
      if (anchor !== undefined) expect([...anchors(readFileSync(target, "utf8"))], link).toContain(anchor);
    }
  });

  test("names only npm scripts that exist", () => {
    for (const [, name] of text.matchAll(/\bnpm run (?:--silent )?([\w:-]+)/g))
      expect(Object.keys(manifest.scripts)).toContain(name);
    for (const name of ["start", "test"])
      if (new RegExp(`\\bnpm ${name}\\b`).test(text)) expect(Object.keys(manifest.scripts)).toContain(name);
  });
});

test("docs/README.md leads to every document", () => {
  const linked = relativeLinks(read("docs/README.md")).map((link) =>
    join("docs", link.split("#")[0] as string),
  );
  const all = documents.filter((path) => /^docs\/(?:services\/)?[\w-]+\.md$/.test(path));
  expect(all.length).toBeGreaterThan(20);
  expect(all.filter((path) => path !== "docs/README.md" && !linked.includes(path))).toEqual([]);
});

test("the judges of these tests can say no", () => {
  const text =
    "# A title\n`src/nowhere.ts` and `docs/none.md:3`, [x](none.md), [y](#a-title) `npm run nothing`";
  expect(namedPaths(text)).toEqual(["src/nowhere.ts", "docs/none.md"]);
  expect(relativeLinks(text)).toEqual(["none.md", "#a-title"]);
  expect([...anchors(text)]).toEqual(["a-title"]);
});
