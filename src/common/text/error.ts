/** What was thrown, for people: also of something that is no error. The monitor's core has its own in its kernel. */
export function errorMessage(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
