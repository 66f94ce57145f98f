import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { createRequire, stripTypeScriptTypes } from "node:module";
import { dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import type { Express } from "express";
import { route } from "./route.ts";

/** A file of the status page, ready to be sent. */
interface Asset {
  readonly etag: string;
  readonly plain: Buffer;
  readonly packed: Buffer;
}

const FOLDER = fileURLToPath(new URL("./page/", import.meta.url));
/** Of the library that draws charts, as it is published. */
const CHART = dirname(createRequire(import.meta.url).resolve("uplot"));

/**
 * Serves the status page: `/` and everything below `/page/`. Read when it is first asked for, so that no start waits for
 * it: its scripts without their types, compressed once, and checked for changes by the browser with an ETag, so that a
 * new version of the monitor is a new page at once.
 */
export function routeAssets(app: Express): void {
  const add = (path: string, read: () => Buffer) => {
    let asset: Asset | undefined;
    route(app, path, {
      get: (request, response) => {
        asset ??= assetOf(read());
        const { etag, plain, packed } = asset;
        response.set({ "cache-control": "no-cache", etag }).vary("accept-encoding");
        response.type(path === "/" ? "html" : extname(path).slice(1));
        if (request.headers["if-none-match"]?.includes(etag) === true) response.status(304).end();
        else if (request.acceptsEncodings("gzip") !== "gzip") response.send(plain);
        else response.set("content-encoding", "gzip").send(packed);
      },
    });
  };
  for (const name of readdirSync(FOLDER))
    if (/\.(ts|css|html|svg)$/.test(name) && !/\.test(kit)?\.ts$/.test(name))
      add(name === "index.html" ? "/" : `/page/${name}`.replace(/ts$/, "js"), () => pageText(name));
  add("/page/uplot.js", () => readFileSync(join(CHART, "uPlot.iife.min.js")));
  add("/page/uplot.css", () => readFileSync(join(CHART, "uPlot.min.css")));
}

function assetOf(plain: Buffer): Asset {
  const etag = `W/"${createHash("sha256").update(plain).digest("base64url").slice(0, 27)}"`;
  return { etag, plain, packed: gzipSync(plain, { level: 9 }) };
}

/**
 * The page of a replay in one file that needs nothing else: its data, and everything that draws them.
 * @param data is read by `page/plot.ts`
 */
export function plotPage(data: object): string {
  const read = (name: string) => readFileSync(join(CHART, name), "utf8");
  const json = JSON.stringify(data).replaceAll("<", "\\u003c");
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Replay</title>
<style>${read("uPlot.min.css")}${pageText("page.css")}</style>
<body>
<script id="data" type="application/json">${json}</script>
<script>${read("uPlot.iife.min.js")}</script>
<script>const modules = {};
${joined("plot")}</script>
</html>
`;
}

/** A script of the page after all that it imports, each in a scope of its own that gives what it exports. */
function joined(name: string, done = new Set<string>()): string {
  done.add(name);
  const text = pageText(`${name}.ts`).toString();
  const needed = [...text.matchAll(/from "\.\/([\w-]+)\.js"/g)].map(([, other]) => other as string);
  const before = needed.map((other) => (done.has(other) ? "" : joined(other, done)));
  const exported = [...text.matchAll(/^export (?:async )?\w+ (\w+)/gm)].map(([, own]) => own);
  const body = text
    .replaceAll(/^import (\{[^}]*\}) from "\.\/([\w-]+)\.js";/gm, 'const $1 = modules["$2"];')
    .replaceAll(/^export /gm, "");
  return `${before.join("")}modules["${name}"] = (() => {\n${body}\nreturn { ${exported.join(", ")} };\n})();\n`;
}

/** A file of the page as a browser takes it: scripts without their types, importing each other as they are served. */
function pageText(name: string): Buffer {
  const text = readFileSync(join(FOLDER, name));
  if (!name.endsWith(".ts")) return text;
  return Buffer.from(
    withoutTypes(text.toString()).replaceAll(/(from |import\()"\.\/(\w[\w-]*)\.ts"/g, '$1"./$2.js"'),
  );
}

/** Node says of this function that it is experimental; whoever starts the monitor can do nothing about that. */
function withoutTypes(text: string): string {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return stripTypeScriptTypes(text);
  } finally {
    process.emitWarning = emitWarning;
  }
}
