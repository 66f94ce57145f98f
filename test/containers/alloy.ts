/** A block of an Alloy configuration: `loki.write "loki" { … }`. */
export interface Block {
  readonly name: string;
  /** The label in quotes, or nothing. */
  readonly label: string | undefined;
  readonly attributes: ReadonlyMap<string, unknown>;
  readonly blocks: readonly Block[];
}

/** A reference to what a component exports: `loki.process.helius.receiver`. */
export class Reference {
  readonly path: string;
  constructor(path: string) {
    this.path = path;
  }
}

type Token = { readonly kind: "text" | "word" | "sign"; readonly value: string; readonly at: number };

/** Reads the syntax of Alloy as far as the shipped file uses it. Throws with the line for anything else. */
export function parseAlloy(text: string): Block[] {
  const reader = new Reader(text);
  const { blocks, attributes } = reader.body(undefined);
  if (attributes.size > 0) throw new Error("an attribute outside any block");
  return blocks;
}

class Reader {
  readonly #text: string;
  readonly #tokens: Token[];
  #next = 0;

  constructor(text: string) {
    this.#text = text;
    this.#tokens = tokens(text);
  }

  /** What stands between braces, or in the file. */
  body(end: string | undefined): { attributes: Map<string, unknown>; blocks: Block[] } {
    const attributes = new Map<string, unknown>();
    const blocks: Block[] = [];
    while (this.#peek()?.value !== end) {
      const { value: name } = this.#take("word");
      if (this.#peek()?.value === "=") {
        this.#sign("=");
        if (attributes.has(name)) this.#fail(`${name} is set twice`);
        attributes.set(name, this.#value());
      } else {
        const label = this.#peek()?.kind === "text" ? this.#take("text").value : undefined;
        this.#sign("{");
        blocks.push({ name, label, ...this.body("}") });
        this.#sign("}");
      }
    }
    return { attributes, blocks };
  }

  #value(): unknown {
    const token = this.#peek() ?? this.#fail("a value is missing");
    if (token.kind === "text") return this.#take("text").value;
    if (token.kind === "word") return new Reference(this.#take("word").value);
    if (token.value === "[") return this.#many("[", "]", () => this.#value());
    if (token.value === "{")
      return Object.fromEntries(
        this.#many("{", "}", () => {
          const key = this.#peek()?.kind === "text" ? this.#take("text").value : this.#take("word").value;
          this.#sign("=");
          return [key, this.#value()] as const;
        }),
      );
    return this.#fail(`no value: ${token.value}`);
  }

  #many<T>(open: string, close: string, one: () => T): T[] {
    const found: T[] = [];
    this.#sign(open);
    while (this.#peek()?.value !== close) {
      found.push(one());
      if (this.#peek()?.value !== close) this.#sign(",");
    }
    this.#sign(close);
    return found;
  }

  #peek(): Token | undefined {
    return this.#tokens[this.#next];
  }

  #take(kind: Token["kind"]): Token {
    const token = this.#tokens[this.#next];
    if (token?.kind !== kind) return this.#fail(`expected ${kind}, found ${token?.value ?? "the end"}`);
    this.#next += 1;
    return token;
  }

  #sign(value: string): void {
    if (this.#take("sign").value !== value) this.#fail(`expected ${value}`);
  }

  #fail(reason: string): never {
    const at = this.#tokens[this.#next]?.at ?? this.#text.length;
    throw new Error(`line ${this.#text.slice(0, at).split("\n").length}: ${reason}`);
  }
}

function tokens(text: string): Token[] {
  const found: Token[] = [];
  const pattern = /(\s+|\/\/.*)|"((?:[^"\\\n]|\\.)*)"|([A-Za-z_][\w.]*)|([{}[\],=])/gy;
  while (pattern.lastIndex < text.length) {
    const at = pattern.lastIndex;
    const match = pattern.exec(text);
    if (match === null)
      throw new Error(
        `line ${text.slice(0, at).split("\n").length}: cannot be read: ${text.slice(at, at + 20)}`,
      );
    const [, space, quoted, word, sign] = match;
    if (quoted !== undefined) found.push({ kind: "text", value: JSON.parse(`"${quoted}"`) as string, at });
    else if (word !== undefined) found.push({ kind: "word", value: word, at });
    else if (sign !== undefined) found.push({ kind: "sign", value: sign, at });
    else if (space === undefined) throw new Error(`nothing at ${at}`);
  }
  return found;
}
