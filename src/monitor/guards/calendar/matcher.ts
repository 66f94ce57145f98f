import type { Matcher } from "../../kernel/guards.ts";

/** Whether every part of a matcher fits. */
export function matchesSubject(matcher: Matcher, subject: Matcher): boolean {
  return (
    fits(matcher.target, subject.target) &&
    fits(matcher.signal, subject.signal) &&
    fits(matcher.action, subject.action)
  );
}

/** Whether a text fits a pattern in which `*` stands for any run of characters; in time linear in the two for one star. */
export function fits(pattern: string, text: string): boolean {
  let p = 0;
  let t = 0;
  let star = -1;
  let resume = 0;
  while (t < text.length) {
    if (pattern[p] === "*") {
      star = p;
      p += 1;
      resume = t;
    } else if (pattern[p] === text[t]) {
      p += 1;
      t += 1;
    } else if (star >= 0) {
      // The last star takes one character more.
      p = star + 1;
      resume += 1;
      t = resume;
    } else return false;
  }
  while (pattern[p] === "*") p += 1;
  return p === pattern.length;
}

/** A matcher for people: only the parts that say something. */
export function describeMatcher({ target, signal, action }: Matcher): string {
  const parts = [
    target === "*" ? "every target" : target,
    ...(signal === "*" ? [] : [signal]),
    ...(action === "*" ? [] : [action]),
  ];
  return parts.join(", ");
}
