/** Text inside XML; what XML cannot hold at all (control characters) becomes a replacement character. */
export function escapeXml(text: string): string {
  return text
    .replace(/[^\P{Cc}\t]/gu, "\uFFFD")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
