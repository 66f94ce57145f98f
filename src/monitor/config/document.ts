import { isCollection, isMap, isPair, isScalar, LineCounter, type Node, parseDocument } from "yaml";
import { errorMessage } from "../kernel/text.ts";
import { ConfigError } from "./errors.ts";

type Path = readonly PropertyKey[];

/** A YAML file as plain data that still knows where each key stands. */
export interface ConfigDocument {
  readonly data: Record<string, unknown>;
  /** `file:line:col` of a key, or of the nearest one above it that exists. */
  where(path: Path): string;
}

/**
 * Reads YAML. Duplicate keys, alias bombs and syntax errors are refused with their place.
 * @throws ConfigError
 */
export function readDocument(text: string, file: string): ConfigDocument {
  const lines = new LineCounter();
  const doc = parseDocument(text, { lineCounter: lines, uniqueKeys: true, prettyErrors: false });
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${Math.max(1, line)}:${Math.max(1, col)}`;
  };
  const problems = [...doc.errors, ...doc.warnings].map((e) => ({
    where: at(e.pos[0]),
    key: "",
    message:
      e.code === "MULTIPLE_DOCS"
        ? "the file must hold one YAML document, without a second ---"
        : e.message.replace(/\s+/g, " "),
  }));
  if (problems.length > 0) throw new ConfigError(problems);
  let data: unknown;
  try {
    data = doc.toJS({ maxAliasCount: 50 });
  } catch (error) {
    throw new ConfigError([{ where: at(0), key: "", message: errorMessage(error) }]);
  }
  if (data === null || data === undefined) data = {};
  if (typeof data !== "object" || Array.isArray(data))
    throw new ConfigError([
      { where: at(0), key: "", message: "the file must be a mapping of keys to values" },
    ]);
  return { data: data as Record<string, unknown>, where: (path) => at(offsetOf(doc.contents, path)) };
}

function offsetOf(root: unknown, path: Path): number {
  let node = root;
  let offset = (root as Node | null)?.range?.[0] ?? 0;
  for (const step of path) {
    if (!isCollection(node)) break;
    const item = isMap(node)
      ? node.items.find((p) => isPair(p) && isScalar(p.key) && String(p.key.value) === String(step))
      : node.items[Number(step)];
    if (item === undefined) break;
    if (isPair(item)) {
      offset = (item.key as Node).range?.[0] ?? offset;
      node = item.value;
    } else {
      node = item;
      offset = (item as Node).range?.[0] ?? offset;
    }
  }
  return offset;
}
