import type { Escalation, Fleet, Pause, Silence } from "../../report/wire.ts";
import { button, type Child, h, type Props, renew, setText } from "./dom.ts";
import { ask, CallError } from "./live.ts";
import { countdownTo, targetLink, when } from "./parts.ts";

/** Kept in this tab's memory alone: gone with it. */
let token = "";

const AUTHOR = "helius.author";
const TIMEOUT_MS = 90_000;

interface Said {
  readonly author?: string | undefined;
  readonly reason?: string | undefined;
}

/** Sends something with the token. @throws CallError with what the monitor says is wrong */
export function send<T extends object = { warning?: string }>(method: string, path: string, body: object) {
  return ask<T>(path, {
    method,
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
}

/** The name that was given last. The browser's storage may be off: then it is typed again. */
function rememberedAuthor(name?: string): string {
  try {
    if (name !== undefined) localStorage.setItem(AUTHOR, name);
    return localStorage.getItem(AUTHOR) ?? "";
  } catch {
    return "";
  }
}

/** What is in the fields of a form, by name. */
export function values(form: HTMLFormElement): Readonly<Record<string, string | undefined>> {
  return Object.fromEntries(new FormData(form)) as Record<string, string>;
}

/** Asks a person for token, author and reason, and for what else is needed, and sends it. */
export function confirm(given: {
  readonly title: string;
  readonly text?: string;
  readonly fields?: Child;
  readonly button: string;
  /** Neither author nor reason is asked for. */
  readonly anonymous?: boolean;
  readonly run: (said: Said, fields: ReturnType<typeof values>) => Promise<{ readonly warning?: string }>;
  /** What screen readers say once it is done. */
  readonly done: string;
}): void {
  const { title, text, fields, anonymous = false, run, done } = given;
  const wrong = h("p.wrong", { role: "alert" });
  const submit = h("button.strong", { type: "submit" }, given.button);
  const form = h(
    "form",
    { onsubmit: (event) => void onSubmit(event) },
    h("h2", { id: "dialog-title" }, title),
    text === undefined ? null : h("p", text),
    fields,
    anonymous
      ? null
      : [
          field("Author", { name: "author", maxlength: 80, required: true, value: rememberedAuthor() }),
          field("Reason", { name: "reason", maxlength: 500, required: true, autocomplete: "off" }),
        ],
    field("Token", { name: "token", type: "password", required: true, autocomplete: "off", value: token }),
    wrong,
    h(
      "p",
      submit,
      " ",
      button("Cancel", () => dialog.close()),
    ),
  );
  const dialog: HTMLDialogElement = h(
    "dialog",
    { "aria-labelledby": "dialog-title", onclose: () => dialog.remove() },
    form,
  );

  async function onSubmit(event: Event): Promise<void> {
    event.preventDefault();
    const { author, reason, ...others } = values(form);
    token = others.token ?? "";
    if (author !== undefined) rememberedAuthor(author);
    submit.disabled = true;
    setText(wrong, "");
    try {
      const { warning } = await run({ author, reason }, others);
      announce(warning === undefined ? done : `${done}. ${warning}`);
      dialog.close();
    } catch (error) {
      setText(wrong, (error as Error).message);
      if (!(error instanceof CallError) || error.status !== 401) return;
      token = "";
      form.querySelector<HTMLElement>("[name=token]")?.focus();
    } finally {
      submit.disabled = false;
    }
  }

  document.body.append(dialog);
  dialog.showModal();
  form.querySelector("input")?.focus();
}

/** A labelled input. */
export function field(label: string, attributes: Props & { readonly name: string }): HTMLElement {
  const id = `f-${attributes.name}`;
  return h("p.field", h("label", { for: id }, label), h("input", { id, type: "text", ...attributes }));
}

/** A labelled choice of values and their texts, the first of them or `value`. */
export function choice(
  label: string,
  name: string,
  options: readonly (readonly [value: string, text: string])[],
  value = "",
): HTMLElement {
  const id = `f-${name}`;
  return h(
    "p.field",
    h("label", { for: id }, label),
    h(
      "select",
      { id, name },
      options.map(([own, text]) => h("option", { value: own, selected: own === value }, text)),
    ),
  );
}

/** Says something to screen readers. */
export function announce(text: string): void {
  setText(document.getElementById("said") as Node, text);
}

const DURATIONS = [
  ["900", "15 minutes"],
  ["3600", "1 hour"],
  ["14400", "4 hours"],
  ["86400", "1 day"],
] as const;

function askPause(): void {
  confirm({
    title: "Pause acting",
    text: "The monitor goes on watching and deciding, and undoes what it switched off, but starts nothing new.",
    fields: choice("For", "for", [...DURATIONS, ["", "until somebody resumes it"]]),
    button: "Pause",
    done: "Acting is paused",
    run: (said, fields) =>
      send("POST", "pause", { ...said, ...(fields.for ? { for_seconds: Number(fields.for) } : {}) }),
  });
}

function askResume(): void {
  confirm({
    title: "Resume acting",
    button: "Resume",
    done: "Acting goes on",
    run: (said) => send("POST", "resume", said),
  });
}

export function askSilence(target = ""): void {
  confirm({
    title: "Silence",
    text: "Nothing new is done on what this matches. A * stands for any run of characters.",
    fields: [
      field("Target", { name: "target", required: true, maxlength: 200, value: target }),
      field("Signal", { name: "signal", required: true, maxlength: 200, value: "*" }),
      choice("For", "for", DURATIONS),
    ],
    button: "Silence",
    done: "Silenced",
    run: (said, { for: seconds, ...matcher }) =>
      send("POST", "silences", {
        ...said,
        target: matcher.target,
        signal: matcher.signal,
        ends_at: new Date(Date.now() + 1000 * Number(seconds)).toISOString(),
      }),
  });
}

export function askExpire({ id, target, author, reason }: Silence): void {
  confirm({
    title: `End the silence on ${target}`,
    text: `By ${author}: ${reason}`,
    button: "End it",
    done: "The silence has ended",
    run: (said) => send("DELETE", `silences/${encodeURIComponent(id)}`, said),
  });
}

export function askAcknowledge(target: string): void {
  confirm({
    title: `Answer the escalation of ${target}`,
    text: "The monitor has stopped acting on it, because its actions did not help or were refused.",
    fields: choice("Answer", "resume", [
      ["yes", "go on acting: the cause is removed"],
      ["no", "seen: leave it stopped"],
    ]),
    button: "Answer",
    done: "Answered",
    run: (said, { resume }) =>
      send("POST", `escalations/${encodeURIComponent(target)}/acknowledge`, {
        ...said,
        resume: resume === "yes",
      }),
  });
}

/** The button that pauses or resumes. */
export function pauseButton(paused: boolean): HTMLElement {
  return paused
    ? button("Resume acting…", askResume, { class: "strong" })
    : button("Pause acting…", askPause);
}

/** The same in the head of every page, with the focus where it was. */
export function showPauseButton(element: HTMLElement, { parts }: Fleet): void {
  const paused = parts.guards.paused !== null;
  const focused = element.contains(document.activeElement);
  renew(element, String(paused), () => pauseButton(paused));
  if (focused) element.querySelector("button")?.focus();
}

/** What a person should see first, on every page: pause, storm, escalations, alerts that fire. */
export function showNotices(element: HTMLElement, { parts }: Fleet): void {
  const { guards, escalations, alerts } = parts;
  const firing = alerts.filter((a) => a.status === "firing");
  const { paused, storm } = guards;
  renew(element, JSON.stringify([paused, storm, escalations, firing]), () => [
    paused && pauseNotice(paused),
    storm &&
      notice(
        "Storm",
        `: ${storm.at_risk} of ${storm.targets} targets are at risk at once; nothing is done until that is over.`,
      ),
    escalations.map(escalationNotice),
    firing.map((a) => notice(`Alert ${a.name}`, " fires since ", when(a.starts_at))),
  ]);
}

function notice(title: Child, ...text: readonly Child[]): HTMLElement {
  return h("p", h("strong", title), text);
}

function pauseNotice({ by, reason, since, until }: Pause): HTMLElement {
  const end = countdownTo(until) ?? "Until somebody resumes it.";
  return notice("Acting is paused", ` by ${by} since `, when(since), `: ${reason}. `, end);
}

/** Why the monitor stopped. */
export const CAUSES: Readonly<Record<Escalation["cause"], string>> = {
  ineffective: "did not help",
  refused: "refused by the target",
};

function escalationNotice({ target, cause, attempts, since, acknowledged }: Escalation): HTMLElement {
  const count = attempts.length;
  return notice(
    [targetLink(target), " waits for a person"],
    " since ",
    when(since),
    `: ${count} ${count === 1 ? "action" : "actions"} ${CAUSES[cause]}. `,
    acknowledged && `Seen by ${acknowledged.by}: ${acknowledged.reason}. `,
    button("Answer…", () => askAcknowledge(target)),
  );
}
