/**
 * A foreign text for a log line or a message: control, format and separator characters and unpaired surrogates are
 * escaped, so that it can neither end a line nor steer a terminal; at most `maxChars` characters, then an ellipsis.
 */
export function printable(text: string, maxChars: number): string {
  const cut = text.length > maxChars ? `${text.slice(0, maxChars)}…` : text;
  return cut.replaceAll(
    /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );
}
