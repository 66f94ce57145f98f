import { promisify } from "node:util";
import { constants, gzip } from "node:zlib";
import type { Request, Response } from "express";

const compress = promisify(gzip);

/** What is shorter gains nothing, bytes. */
const MIN_BYTES = 1024;
/** Quick rather than small: it is done again and again while the monitor watches. */
const QUICK = { level: constants.Z_BEST_SPEED + 2 };

/** Sends JSON texts, compressed where the client takes that. A text that is sent again is compressed once. */
export function jsonSender(): (request: Request, response: Response, text: string) => Promise<void> {
  let last = { text: "", packed: Promise.resolve(Buffer.alloc(0)) };
  return async (request, response, text) => {
    response.type("json").vary("accept-encoding");
    if (text.length < MIN_BYTES || request.acceptsEncodings("gzip") !== "gzip") {
      response.send(text);
      return;
    }
    if (last.text !== text) last = { text, packed: compress(text, QUICK) };
    const packed = await last.packed;
    response.set("content-encoding", "gzip").send(packed);
  };
}
