import { createHash } from "node:crypto";

/** What a sealed file can hold; a file of one kind is not taken for another. */
export type SealKind = "model" | "cache" | "hold";

/** The bytes are not what was sealed: cut off, changed, of another kind, or of an unknown version. */
export class SealError extends Error {
  override readonly name = "SealError";
}

const FIRST_LINE =
  /^helius-reco-(?<kind>[a-z]+) (?<version>\d+) sha256=(?<sha256>[0-9a-f]{64}) bytes=(?<bytes>\d+)$/;
const VERSION = "1";
const MAX_FIRST_LINE = 200;

/** The payload behind a line with its kind, length and SHA-256. */
export function seal(kind: SealKind, payload: Buffer): Buffer {
  const line = `helius-reco-${kind} ${VERSION} sha256=${sha256(payload)} bytes=${payload.length}\n`;
  return Buffer.concat([Buffer.from(line, "latin1"), payload]);
}

/** The payload of sealed bytes. Throws `SealError` saying what is wrong. */
export function unseal(kind: SealKind, sealed: Buffer): Buffer {
  const end = sealed.subarray(0, MAX_FIRST_LINE).indexOf(0x0a);
  const parts = end < 0 ? undefined : FIRST_LINE.exec(sealed.toString("latin1", 0, end))?.groups;
  if (parts === undefined) throw new SealError(`not a helius-reco-${kind} file: its first line is unknown`);
  if (parts.kind !== kind) throw new SealError(`a helius-reco-${parts.kind} file where a ${kind} belongs`);
  if (parts.version !== VERSION) {
    throw new SealError(`version ${parts.version} of the file format: expected version ${VERSION}`);
  }
  const payload = sealed.subarray(end + 1);
  if (payload.length !== Number(parts.bytes)) {
    throw new SealError(`${payload.length} bytes after the first line: expected ${parts.bytes}`);
  }
  if (sha256(payload) !== parts.sha256) throw new SealError("the SHA-256 does not match the content");
  return payload;
}

export function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}
