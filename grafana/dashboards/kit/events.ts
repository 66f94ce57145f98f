/** Actions of the monitor that were carried out; shadow mode logs the same message with another `mode`. */
export function automatic(targets: string): string {
  return `{job="predictive-monitor"} |= "mitigation executed" | json | mode="auto" | target=~"${targets}"`;
}

/** What a service logs when a person called, not the monitor. */
export function manual(services: string): string {
  return `{job=~"${services}"} |= "manual mitigation executed" | json | message="manual mitigation executed"`;
}

/** Exactly the closing field: there is also a message that begins like it. */
export const CYCLES = `{job="predictive-monitor"} |= \`"message":"prediction cycle"\``;
