import { h, setText } from "./dom.js";
import { plain } from "./format.js";
import { ask, state } from "./live.js";
import { countdown, targetLink, when } from "./parts.js";

/** Kept in this tab's memory alone: gone with it. */
let token = "";

const AUTHOR = "helius.author";

/**
 * Sends something with the token. @throws Error with what the monitor says is wrong
 */
export async function send(method, path, body) {
  return ask(`api/v1/${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(90_000),
  });
}

/**
 * Asks a person for token, author and reason, and for what else is needed, and sends it.
 * @param {{title: string, text?: string, fields?: Node[], button: string, anonymous?: boolean, run: (said: {author: string, reason: string}, form: HTMLFormElement) => Promise<object>, said: string}} given
 *   `said` is told to screen readers once it is done; `anonymous`: neither author nor reason is asked for
 */
export function confirm({ title, text, fields = [], button, run, said, anonymous = false }) {
  const wrong = h("p.wrong", { role: "alert" });
  const submit = h("button.strong", { type: "submit" }, button);
  const author = field("Author", {
    name: "author",
    maxlength: "80",
    required: true,
    autocomplete: "name",
    value: remembered(),
  });
  const reason = field("Reason", { name: "reason", maxlength: "500", required: true, autocomplete: "off" });
  const key = field("Token", {
    name: "token",
    type: "password",
    required: true,
    autocomplete: "off",
    value: token,
  });
  const form = h(
    "form",
    { onsubmit: (event) => void onSubmit(event) },
    h("h2", { id: "dialog-title" }, title),
    text === undefined ? null : h("p", {}, text),
    fields,
    anonymous ? null : [author, reason],
    key,
    wrong,
    h("p.buttons", {}, submit, " ", h("button", { type: "button", onclick: () => dialog.close() }, "Cancel")),
  );
  const dialog = h("dialog", { "aria-labelledby": "dialog-title", onclose: () => dialog.remove() }, form);

  async function onSubmit(event) {
    event.preventDefault();
    const given = Object.fromEntries(new FormData(form));
    token = given.token;
    if (!anonymous) remember(given.author);
    submit.disabled = true;
    setText(wrong, "");
    try {
      const data = await run({ author: given.author, reason: given.reason }, form);
      tell(data?.warning === undefined ? said : `${said}. ${data.warning}`);
      dialog.close();
    } catch (error) {
      setText(wrong, error.message);
      if (error.status === 401) {
        token = "";
        form.elements.token.focus();
      }
    } finally {
      submit.disabled = false;
    }
  }

  document.body.append(dialog);
  dialog.showModal();
  form.querySelector("input:not([value]), input")?.focus();
}

/** A labelled input. */
export function field(label, attributes, hint) {
  const id = `f-${attributes.name}`;
  const about = hint === undefined ? undefined : `${id}-hint`;
  return h(
    "p.field",
    {},
    h("label", { for: id }, label),
    h("input", { id, type: "text", "aria-describedby": about, ...attributes }),
    hint === undefined ? null : h("small", { id: about }, hint),
  );
}

/** A labelled choice. @param {[string, string][]} options value and text */
export function choice(label, name, options) {
  const id = `f-${name}`;
  return h(
    "p.field",
    {},
    h("label", { for: id }, label),
    h(
      "select",
      { id, name },
      options.map(([value, text]) => h("option", { value }, text)),
    ),
  );
}

export const DURATIONS = [
  ["900", "15 minutes"],
  ["3600", "1 hour"],
  ["14400", "4 hours"],
  ["86400", "1 day"],
];

function tell(text) {
  setText(document.getElementById("said"), text);
}

function remembered() {
  try {
    return localStorage.getItem(AUTHOR) ?? "";
  } catch {
    return "";
  }
}

function remember(author) {
  try {
    localStorage.setItem(AUTHOR, author);
  } catch {
    // Storage may be off: the name is typed again.
  }
}

export function askPause() {
  confirm({
    title: "Pause acting",
    text: "The monitor goes on watching and deciding, and takes back what it switched off, but does nothing new.",
    fields: [choice("For", "for", [...DURATIONS, ["", "until somebody resumes it"]])],
    button: "Pause",
    said: "Acting is paused",
    run: (said, form) => {
      const seconds = form.elements.for.value;
      return send("POST", "pause", { ...said, ...(seconds === "" ? {} : { for_seconds: Number(seconds) }) });
    },
  });
}

export function askResume() {
  confirm({
    title: "Resume acting",
    button: "Resume",
    said: "Acting goes on",
    run: (said) => send("POST", "resume", said),
  });
}

export function askSilence(target = "") {
  confirm({
    title: "Silence",
    text: "Nothing new is done on what this matches. A * stands for any run of characters.",
    fields: [
      field("Target", { name: "target", required: true, maxlength: "200", value: target }),
      field("Signal", { name: "signal", required: true, maxlength: "200", value: "*" }),
      choice("For", "for", DURATIONS),
    ],
    button: "Silence",
    said: "Silenced",
    run: (said, form) =>
      send("POST", "silences", {
        ...said,
        target: form.elements.target.value,
        signal: form.elements.signal.value,
        ends_at: new Date(Date.now() + 1000 * Number(form.elements.for.value)).toISOString(),
      }),
  });
}

export function askLift(silence) {
  confirm({
    title: `End the silence on ${silence.target}`,
    text: `By ${silence.author}: ${silence.reason}`,
    button: "End it",
    said: "The silence has ended",
    run: (said) => send("DELETE", `silences/${encodeURIComponent(silence.id)}`, said),
  });
}

export function askAcknowledge(target) {
  confirm({
    title: `Answer the escalation of ${target}`,
    text: "The monitor has stopped acting on it, because what it did was no help.",
    fields: [
      choice("Answer", "resume", [
        ["yes", "go on acting: the cause is removed"],
        ["no", "seen: leave it stopped"],
      ]),
    ],
    button: "Answer",
    said: "Answered",
    run: (said, form) =>
      send("POST", `escalations/${encodeURIComponent(target)}/acknowledge`, {
        ...said,
        resume: form.elements.resume.value === "yes",
      }),
  });
}

let brakeShown;

/** The button that pauses or resumes, in the head of every page. */
export function brake(element) {
  const { guards } = state.parts;
  if (guards === undefined) return;
  const paused = guards.paused !== null;
  if (brakeShown === paused) return;
  const focused = element.contains(document.activeElement);
  brakeShown = paused;
  element.replaceChildren(
    paused
      ? h("button.strong", { type: "button", onclick: askResume }, "Resume acting…")
      : h("button", { type: "button", onclick: askPause }, "Pause acting…"),
  );
  if (focused) element.firstElementChild.focus();
}

let noticesShown = "";

/** What a person should see first, on every page: pause, escalations, storm, alerts that are acted on. */
export function notices(element) {
  const { guards, escalations = [], alerts = [] } = state.parts;
  if (guards === undefined) return;
  const firing = alerts.filter((a) => a.status === "firing");
  const known = JSON.stringify([guards.paused, escalations, guards.storm, firing]);
  if (known === noticesShown) return;
  noticesShown = known;
  element.replaceChildren(
    ...[
      ...pauseNotice(guards.paused),
      ...stormNotice(guards.storm),
      ...escalations.map(escalationNotice),
      ...firing.map((a) =>
        h("p", {}, h("strong", {}, `Alert ${a.name}`), " fires since ", when(a.starts_at)),
      ),
    ],
  );
}

function pauseNotice(paused) {
  if (paused === null) return [];
  const { by, reason, since, until } = paused;
  return [
    h(
      "p",
      {},
      h("strong", {}, "Acting is paused"),
      ` by ${by} since `,
      when(since),
      `: ${reason}. `,
      until === null ? "Until somebody resumes it." : countdown(Date.parse(until) / 1000),
    ),
  ];
}

function stormNotice(storm) {
  if (storm === null || storm === undefined) return [];
  return [
    h(
      "p",
      {},
      h("strong", {}, "Storm"),
      `: ${storm.unwell} of ${storm.targets} targets turned unwell together; nothing is done until that is over.`,
    ),
  ];
}

function escalationNotice(escalation) {
  const { target, cause, tries, since, acknowledged } = escalation;
  return h(
    "p",
    {},
    h("strong", {}, targetLink(target), " waits for a person"),
    ` since `,
    when(since),
    `: ${tries.length} ${tries.length === 1 ? "action" : "actions"} ${plain(cause)}. `,
    acknowledged === null ? null : `Seen by ${acknowledged.by}: ${acknowledged.reason}. `,
    h("button", { type: "button", onclick: () => askAcknowledge(target) }, "Answer…"),
  );
}
