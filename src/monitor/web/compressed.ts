import { promisify } from "node:util";
import { constants, gzip } from "node:zlib";
import type { Request, Response } from "express";

const compress = promisify(gzip);

/** What is shorter gains nothing, bytes. */
const MIN_BYTES = 1024;

/**
 * Sends a JSON text, compressed where the client takes that. A text that is sent again is compressed once: `memory`
 * remembers the last one.
 */
export async function sendJson(
  request: Request,
  response: Response,
  text: string,
  memory?: JsonMemory,
): Promise<void> {
  response.type("json").vary("accept-encoding");
  if (text.length < MIN_BYTES || request.acceptsEncodings("gzip") !== "gzip") {
    response.send(text);
    return;
  }
  if (memory === undefined || memory.text !== text) {
    // Quick rather than small: it is done again and again while the monitor watches.
    const packed = compress(text, { level: constants.Z_BEST_SPEED + 2 });
    if (memory === undefined) {
      response.set("content-encoding", "gzip").send(await packed);
      return;
    }
    memory.text = text;
    memory.packed = packed;
  }
  response.set("content-encoding", "gzip").send(await memory.packed);
}

export interface JsonMemory {
  text: string;
  packed: Promise<Buffer>;
}

export function createJsonMemory(): JsonMemory {
  return { text: "", packed: Promise.resolve(Buffer.alloc(0)) };
}
