// What was said: partials while somebody speaks, finals that stay, notes between them.

import { $, make, offer } from "./dom.js";

const SHOWN = 3000; // lines; all finals are kept for copying

const finals = [];
const partials = new Map(); // utterance id → its line
const read = new Map(); // session id → ids of utterances that have their final
const seen = new Set(); // seq of finals
let following = true;

const clock = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

/** Take a partial or a final. `tag` names its source where that isn't plain; `old` isn't read out. */
export function take(event, tag = "", old = false) {
  if (event.is_final) takeFinal(event, tag, old);
  else takePartial(event, tag);
}

/** Add a line that isn't speech. */
export function note(text, timestamp, className = "") {
  const line = make("li", { className: `note ${className}` }, time(timestamp), make("span", { className: "text" }, text));
  add(line);
}

/** A session began: its utterances are counted from one again. */
export function begin(session) {
  read.delete(session);
}

/** A session ended: what has no final by now won't get one. */
export function end(session) {
  for (const [id, line] of partials) if (line.dataset.session === session) retract(id);
}

/** Forget partials; after a break nobody would take them back. */
export function retractAll() {
  for (const id of [...partials.keys()]) retract(id);
}

function takeFinal(event, tag, old) {
  if (seen.has(event.seq)) return;
  seen.add(event.seq);
  const done = read.get(event.session_id) ?? new Set();
  read.set(event.session_id, done.add(event.utterance_id));
  retract(event.utterance_id);
  finals.push(event);
  add(finalLine(event, tag));
  if (!old) announce(event.text);
  showCount();
}

function takePartial(event, tag) {
  if (read.get(event.session_id)?.has(event.utterance_id)) return;
  if (!event.text) return retract(event.utterance_id);
  let line = partials.get(event.utterance_id);
  if (!line) {
    line = make("li", { className: "partial" }, time(event.timestamp), make("span", { className: "text", dir: "auto" }), label(tag));
    line.dataset.session = event.session_id;
    partials.set(event.utterance_id, line);
    $("partials").append(line);
  }
  // Counted in characters, not in JavaScript's 16-bit units.
  const characters = [...event.text];
  line.querySelector(".text").replaceChildren(
    make("span", { className: "stable" }, characters.slice(0, event.stable).join("")),
    make("span", { className: "unstable" }, characters.slice(event.stable).join("")),
  );
  $("empty").hidden = true;
  follow();
}

function retract(id) {
  partials.get(id)?.remove();
  partials.delete(id);
}

function finalLine(event, tag) {
  const text = make("span", { className: "text", dir: "auto" }, event.text);
  if (event.language) text.lang = event.language;
  const line = make("li", { className: "final" }, time(event.timestamp), text, label(tag));
  if (event.confidence != null) {
    const sure = Math.round(event.confidence * 100);
    line.append(make("span", { className: sure < 50 ? "sure low" : "sure", title: "confidence" }, `${sure} %`));
  }
  return line;
}

function time(timestamp) {
  const when = new Date(timestamp * 1000);
  return make("time", { dateTime: when.toISOString() }, clock.format(when));
}

function label(tag) {
  return tag ? make("span", { className: "tag" }, tag) : "";
}

function add(line) {
  $("finals").append(line);
  while ($("finals").children.length > SHOWN) $("finals").firstChild.remove();
  $("empty").hidden = true;
  follow();
}

function follow() {
  const scroll = $("scroll");
  if (following) scroll.scrollTop = scroll.scrollHeight;
  $("newest").hidden = following;
}

// Screen readers hear the words alone, not the times around them.
function announce(text) {
  $("said").append(make("p", {}, text));
  while ($("said").children.length > 20) $("said").firstChild.remove();
}

function showCount() {
  const words = finals.reduce((sum, final) => sum + final.text.split(/\s+/).filter(Boolean).length, 0);
  $("count").textContent = finals.length ? `${plural(finals.length, "final")}, ${plural(words, "word")}` : "";
  for (const id of ["copy", "download", "clear"]) $(id).disabled = !finals.length;
}

const plural = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;

function asText() {
  return finals.map((final) => `${stamp(final.timestamp)}  ${final.text}\n`).join("");
}

function stamp(timestamp) {
  const when = new Date(timestamp * 1000);
  return `${when.toLocaleDateString("sv")} ${clock.format(when)}`;
}

async function copy() {
  const text = asText();
  let done = true;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    done = copyByHand(text);
  }
  $("copy").textContent = done ? "Copied" : "Not copied";
  setTimeout(() => ($("copy").textContent = "Copy all"), 2000);
}

// Over plain HTTP from another machine there is no clipboard API.
function copyByHand(text) {
  const area = make("textarea", { value: text, className: "unseen" });
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  $("copy").focus();
  return done;
}

function clear() {
  finals.length = 0;
  $("finals").replaceChildren();
  $("said").replaceChildren();
  $("empty").hidden = partials.size > 0;
  following = true;
  showCount();
  follow();
}

export function wireTranscript() {
  const scroll = $("scroll");
  scroll.addEventListener("scroll", () => {
    following = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 40;
    if (following) $("newest").hidden = true;
  });
  new ResizeObserver(follow).observe(scroll);
  $("newest").addEventListener("click", () => {
    following = true;
    follow();
    scroll.focus({ preventScroll: true });
  });
  $("copy").addEventListener("click", copy);
  $("download").addEventListener("click", () => offer(asText(), `transcript-${stamp(Date.now() / 1000).replace(/[ :]/g, "-")}.txt`));
  $("clear").addEventListener("click", clear);
}
