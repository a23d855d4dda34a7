// What the page does with each fact, and which part shows it.

import { call, forgetToken, hasToken, setDoorkeeper } from "./api.js";
import { $ } from "./dom.js";
import { edit, wireEditor } from "./editor.js";
import { wireHistory } from "./history.js";
import { Link } from "./link.js";
import { loadProfiles, ownSession, showServer, wireListen } from "./listen.js";
import * as meter from "./meter.js";
import { complain, dismiss, notice, showing } from "./notices.js";
import { askForToken, wireToken } from "./token.js";
import * as transcript from "./transcript.js";

const sources = new Map(); // session id → where its sound comes from
let running = null; // {profile, since} of the server's own listening
let wakeEnds = 0;
let heard = {}; // how the sound of the server's own listening is

const link = new Link(takeFromLink, showLink, takeStatus);

const HANDLERS = {
  welcome: greet,
  system_status: takeSystemStatus,
  transcription: takeWords,
  level: (event) => meter.showLevel(event, sourceName(event.session_id)),
  wake_word: takeWakeWord,
  wake_word_timeout: (event) => endWake("nobody spoke after the wake word", event),
  speech_detected: () => endWake(),
  model_progress: showProgress,
  session_started: startSession,
  session_stopped: stopSession,
  error: showError,
};

const heardAlready = new Set(); // seq of durable events, which this browser's session hears twice

function take(event) {
  if (event.seq != null && event.event !== "welcome") {
    if (heardAlready.has(event.seq)) return;
    heardAlready.add(event.seq);
    if (heardAlready.size > 10_000) heardAlready.delete(heardAlready.values().next().value);
  }
  HANDLERS[event.event]?.(event);
}

// What this browser's own session says passing comes on its own socket.
function takeFromLink(event) {
  if (event.seq == null && event.session_id && event.session_id === ownSession()) return;
  take(event);
}

function greet(event) {
  transcript.retractAll();
  if (event.restarted) transcript.note("the server was restarted", event.timestamp, "warn");
  else if (event.gap) {
    transcript.note("something said while the connection was down is missing here: the server no longer holds it", event.timestamp, "warn");
  }
  if (event.first || event.gap) for (const final of event.recent) transcript.take(final, "", true);
  loadProfiles().catch(complain);
}

function takeStatus(status) {
  sources.clear();
  for (const session of status.sessions) sources.set(session.session_id, session.source);
  takeSystemStatus(status);
  // The server's own listening is the one that no client feeds.
  const own = status.sessions.find((session) => !fed(session.source));
  if (running && own) running.since = own.started;
  showState();
}

function takeSystemStatus({ running: on, profile, active_features: features, engine, audio, timestamp }) {
  running = on ? { profile, features, since: running?.since ?? timestamp ?? Date.now() / 1000 } : null;
  if (!on) endWake();
  takeAudio((on && audio) || {}, timestamp);
  showServer({ running: on, profile });
  showState();
  if (engine) showEngine(engine);
}

function showError({ error, details, recoverable }) {
  // A lasting fault may be known from the status already.
  if (details !== heard.fault || !showing(details).length) notice(recoverable === false ? "bad" : "warn", `${error}.`, details);
}

// A fault of the microphone is shown for as long as it lasts.
function takeAudio(audio, timestamp = Date.now() / 1000) {
  const before = heard;
  heard = audio;
  if (audio.gone) meter.rest();
  if (before.fault && before.fault !== audio.fault) {
    dismiss(before.fault);
    if (running && !audio.fault) transcript.note(before.gone ? `the microphone ${audio.device} is back` : "there is sound again", timestamp);
  }
  if (audio.fault && !showing(audio.fault).length) notice("warn", audio.gone ? "Microphone gone." : "Only digital silence.", audio.fault);
}

function takeWords(event) {
  transcript.take(event, tagOf(event.session_id));
  if (event.is_final && event.latency != null) {
    $("latency").textContent = `${event.latency.toFixed(2)} s from the end of speech`;
  }
}

function startSession(event) {
  sources.set(event.session_id, event.source);
  transcript.begin(event.session_id);
  const profile = event.profile ? ` with ${event.profile}` : "";
  transcript.note(`listening to ${sourceName(event.session_id)}${profile}`, event.timestamp);
  if (!fed(event.source) && running) running.since = event.timestamp;
}

function stopSession(event) {
  transcript.end(event.session_id);
  transcript.note(`${sourceName(event.session_id)}: ${REASONS[event.reason] ?? event.reason}`, event.timestamp);
  meter.rest(event.session_id);
  sources.delete(event.session_id);
}

const REASONS = {
  stopped: "stopped",
  ended: "at its end",
  disconnected: "its sender has gone",
  failed: "failed",
  idle: "nothing came any more",
};

function takeWakeWord(event) {
  const sure = event.confidence == null ? "" : ` (${Math.round(event.confidence * 100)} %)`;
  transcript.note(`wake word “${event.wake_word}” heard${sure}`, event.timestamp, "wake");
  wakeEnds = Date.now() + event.timeout * 1000;
  $("wake").textContent = `awake: “${event.wake_word}” was heard, speak now`;
  $("wake").hidden = false;
}

function endWake(why, event) {
  wakeEnds = 0;
  $("wake").hidden = true;
  if (why) transcript.note(why, event.timestamp);
}

function showEngine({ name, state, device, model, reason }) {
  $("engine").textContent = [name, state, device].filter(Boolean).join(" · ");
  $("engine").dataset.state = state;
  $("reason").textContent = reason;
  $("model").textContent = model ?? "the engine's default";
}

function showProgress({ model, stage, done, total }) {
  $("progress").hidden = ["ready", "installed", "stopped", "unloaded"].includes(stage);
  $("progress-text").textContent = `${stage} of ${model}`;
  const bar = $("progress").querySelector("progress");
  if (total) bar.value = done / total;
  else bar.removeAttribute("value");
}

function showState() {
  if (!running) $("state").textContent = sources.size ? "transcribing what clients send" : "not listening";
  else {
    const seconds = Math.max(0, Math.floor(Date.now() / 1000 - running.since));
    const doing = heard.gone ? "waiting for the microphone," : "listening";
    $("state").textContent = `${doing} ${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  }
  $("state").dataset.running = running !== null;
  $("running-profile").textContent = running ? [running.profile, (running.features ?? []).join(", ")].filter(Boolean).join(" · ") : "–";
}

function showLink({ state, reason, seconds }) {
  const words = { connecting: "connecting", up: "connected", waiting: `${reason}; trying again`, locked: "this server wants its token" };
  $("link").dataset.state = state;
  // Announced only as it changes; the countdown is for the eye.
  if ($("link-text").textContent !== words[state]) $("link-text").textContent = words[state];
  $("countdown").textContent = state === "waiting" ? `in ${seconds} s` : "";
  $("retry").hidden = state !== "waiting" && state !== "locked";
  $("retry").textContent = state === "locked" ? "Enter it" : "Now";
  $("forget").hidden = !hasToken();
  if (state !== "up") meter.rest();
}

const fed = (source) => source === "stream" || source === "upload";

// Ids that the server made up, which tell nobody anything.
const DRAWN = /^[0-9a-f]{12}$/;

// A session, of now or before, whose client said what it is called.
const named = (session) => session && fed(sources.get(session) ?? "stream") && !DRAWN.test(session);

function sourceName(session) {
  if (session && session === ownSession()) return "this browser's microphone";
  if (named(session)) return session;
  const source = sources.get(session) ?? "";
  if (source.startsWith("file:")) return source.split(/[/\\]/).pop();
  return { microphone: "the server's microphone", stream: "a client's stream", upload: "a client's uploads" }[source] ?? "a session";
}

function tagOf(session) {
  if (session === ownSession()) return "this browser";
  if (named(session)) return session;
  return fed(sources.get(session) ?? "") ? "client" : "";
}

setDoorkeeper(askForToken);
wireToken();
wireListen(take);
meter.wireMeter();
transcript.wireTranscript();
wireHistory();
wireEditor((name) => loadProfiles(name).catch(complain));
$("edit").addEventListener("click", () => edit($("profile").value).catch(complain));
$("retry").addEventListener("click", () => link.retryNow());
$("forget").addEventListener("click", () => {
  forgetToken();
  link.drop();
});
addEventListener("online", () => link.retryNow());
document.addEventListener("visibilitychange", () => document.hidden || link.retryNow());
setInterval(() => {
  if (running) showState();
  if (wakeEnds && Date.now() > wakeEnds) endWake();
}, 1000);
link.run();

// For programs that drive the page, tests among them.
export { call, link, take };
