import { z } from "zod";
import { decodeModel, fingerprint, type ModelBody } from "../model/artifact.ts";
import { readIfThere, setAside, writeDurably } from "./durable-file.ts";
import { seal, unseal } from "./sealed.ts";

/** Where a model came from. */
type ModelOrigin = "registry" | "trained";

/** A model ready to be served, with its artifact. */
export interface LoadedModel {
  readonly body: ModelBody;
  readonly artifact: Buffer;
  /** As `model_version` of an answer. */
  readonly version: string;
  readonly origin: ModelOrigin;
  /**
   * Version of the registry that this model replaced when it was trained: the registry's model comes back only in
   * another version. Null: none was known.
   */
  readonly supersedes: string | null;
}

export type CacheContent =
  | { readonly status: "loaded"; readonly model: LoadedModel }
  | { readonly status: "absent" }
  | { readonly status: "quarantined"; readonly setAside: string; readonly reason: string }
  | { readonly status: "unreadable"; readonly reason: string };

const meta = z.strictObject({
  version: z.string().min(1).max(300),
  origin: z.enum(["registry", "trained"]),
  supersedes: z.string().max(300).nullable(),
});

/** The last good model on disk: one sealed file, so that model, version and checksum cannot disagree. */
export class ModelCache {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  /** Replaces the model on disk. Throws what the disk says; the old one is whole then. */
  save(model: LoadedModel): void {
    const { version, origin, supersedes } = model;
    const line = Buffer.from(`${JSON.stringify({ version, origin, supersedes })}\n`, "utf8");
    writeDurably(this.#file, seal("cache", Buffer.concat([line, model.artifact])));
  }

  /** Reads the model back. A damaged file is set aside as `FILE.corrupt-MS`. Never throws. */
  load(wallMs: number): CacheContent {
    let sealed: Buffer | undefined;
    try {
      sealed = readIfThere(this.#file);
    } catch (error) {
      return { status: "unreadable", reason: (error as Error).message };
    }
    if (sealed === undefined) return { status: "absent" };
    try {
      return { status: "loaded", model: decodeCache(sealed) };
    } catch (error) {
      return this.#quarantine((error as Error).message, wallMs);
    }
  }

  #quarantine(reason: string, wallMs: number): CacheContent {
    try {
      return { status: "quarantined", setAside: setAside(this.#file, wallMs), reason };
    } catch (error) {
      return { status: "unreadable", reason: `${reason}; ${(error as Error).message}` };
    }
  }
}

/** A model with the version name that its content gives it. Throws `ModelFormatError`. */
export function trainedModel(artifact: Buffer, supersedes: string | null): LoadedModel {
  const body = decodeModel(artifact);
  const stamp = body.trained_at.replace(/[-:]|\.\d+/g, "");
  return {
    body,
    artifact,
    version: `trained-${stamp}-${fingerprint(artifact).slice(0, 8)}`,
    origin: "trained",
    supersedes,
  };
}

function decodeCache(sealed: Buffer): LoadedModel {
  const payload = unseal("cache", sealed);
  const end = payload.indexOf(0x0a);
  const head = meta.parse(JSON.parse(payload.toString("utf8", 0, Math.max(0, end))));
  const artifact = payload.subarray(end + 1);
  return { ...head, artifact, body: decodeModel(artifact) };
}
