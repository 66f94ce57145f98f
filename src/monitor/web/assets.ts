import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { createRequire, stripTypeScriptTypes } from "node:module";
import { dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import type { Express, RequestHandler } from "express";

/** A file of the status page, ready to be sent. */
interface Asset {
  readonly type: string;
  readonly etag: string;
  readonly plain: Buffer;
  readonly packed: Buffer;
}

const FOLDER = fileURLToPath(new URL("./page/", import.meta.url));
/** Of the library that draws charts, as it is published. */
const CHART = dirname(createRequire(import.meta.url).resolve("uplot"));

/**
 * Serves the status page: `/` and everything below `/page/`. Read once at the start, its scripts without their types,
 * compressed once, and checked for changes by the browser with an ETag, so that a new version of the monitor is a new
 * page at once.
 */
export function routeAssets(app: Express, only: (allowed: string) => RequestHandler): void {
  const files = new Map<string, Asset>();
  const add = (path: string, plain: Buffer) =>
    files.set(path, {
      type: path === "/" ? "html" : extname(path).slice(1),
      etag: `W/"${createHash("sha256").update(plain).digest("base64url").slice(0, 27)}"`,
      plain,
      packed: gzipSync(plain, { level: 9 }),
    });
  for (const name of readdirSync(FOLDER))
    if (/\.(ts|css|html|svg)$/.test(name) && !name.endsWith(".test.ts"))
      add(name === "index.html" ? "/" : `/page/${name}`.replace(/ts$/, "js"), pageText(name));
  add("/page/uplot.js", readFileSync(join(CHART, "uPlot.iife.min.js")));
  add("/page/uplot.css", readFileSync(join(CHART, "uPlot.min.css")));
  for (const [path, asset] of files)
    app
      .route(path)
      .get((request, response) => {
        const { etag, plain, packed } = asset;
        response.set({ "cache-control": "no-cache", etag }).vary("accept-encoding").type(asset.type);
        if (request.headers["if-none-match"]?.includes(etag) === true) response.status(304).end();
        else if (request.acceptsEncodings("gzip") !== "gzip") response.send(plain);
        else response.set("content-encoding", "gzip").send(packed);
      })
      .all(only("GET, HEAD"));
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
