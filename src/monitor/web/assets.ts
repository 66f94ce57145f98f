import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
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
 * Serves the status page: `/` and everything below `/page/`. Read once at the start, compressed once, and checked for
 * changes by the browser with an ETag, so that a new version of the monitor is a new page at once.
 */
export function routeAssets(app: Express, only: (allowed: string) => RequestHandler): void {
  const files = new Map<string, Asset>();
  for (const name of readdirSync(FOLDER))
    if (/\.(js|css|html|svg)$/.test(name) && !name.endsWith(".test.js"))
      files.set(name === "index.html" ? "/" : `/page/${name}`, load(join(FOLDER, name)));
  files.set("/page/uplot.js", load(join(CHART, "uPlot.iife.min.js")));
  files.set("/page/uplot.css", load(join(CHART, "uPlot.min.css")));
  for (const [path, asset] of files)
    app
      .route(path)
      .get((request, response) => {
        response
          .set({ "cache-control": "no-cache", etag: asset.etag })
          .vary("accept-encoding")
          .type(asset.type);
        if (request.headers["if-none-match"]?.includes(asset.etag) === true) {
          response.status(304).end();
          return;
        }
        if (request.acceptsEncodings("gzip") === "gzip")
          response.set("content-encoding", "gzip").send(asset.packed);
        else response.send(asset.plain);
      })
      .all(only("GET, HEAD"));
}

function load(path: string): Asset {
  const plain = readFileSync(path);
  const digest = createHash("sha256").update(plain).digest("base64url").slice(0, 27);
  return {
    type: extname(path).slice(1),
    etag: `W/"${digest}"`,
    plain,
    packed: gzipSync(plain, { level: 9 }),
  };
}
