// The profile editor: a form over the fields most people want, and the whole as JSON.

import { Refused, call } from "./api.js";
import { $, make } from "./dom.js";
import { wireFiles } from "./files.js";

// path, label, kind, what the kind needs. The server checks the values: its refusals name the field.
const FIELDS = {
  "": [["description", "Description", "text"]],
  "What reads the speech": [
    ["transcription.engine", "Engine", "choice", { options: ["auto", "mlx_whisper", "openai", "pocketsphinx"] }],
    ["transcription.model", "Model", "text", { empty: null, list: "models", hint: "a name or folder; empty takes the engine's default" }],
    ["transcription.fallback", "If that one fails", "choice", { empty: null, options: ["", "auto", "mlx_whisper", "pocketsphinx"], hint: "an engine on this machine that reads instead; empty for none" }],
    ["transcription.language", "Language", "text", { empty: null, hint: "ISO 639 code such as en; empty detects it" }],
    ["transcription.prompt", "Prompt", "long", { empty: null, hint: "words or names to expect" }],
    ["transcription.partials", "Show words while somebody speaks", "switch"],
    ["transcription.auto_start", "Transcribe from the start (off: wait for the wake word)", "switch"],
  ],
  "When somebody speaks": [
    ["vad.detector_type", "Detector", "choice", { options: ["combined", "silero", "webrtc"] }],
    ["vad.sensitivity", "Sensitivity", "share", { hint: "higher hears more" }],
    ["vad.min_speech_duration", "Shortest speech", "number", { step: 0.05, unit: "s" }],
    ["vad.min_silence_duration", "Silence that ends it", "number", { step: 0.1, unit: "s" }],
    ["vad.pre_speech", "Kept from before", "number", { step: 0.1, unit: "s" }],
    ["vad.max_utterance", "Longest utterance", "number", { step: 1, unit: "s" }],
  ],
  "Wake word": [
    ["wake_word.enabled", "Wait for a wake word", "switch"],
    ["wake_word.words", "Words", "list", { hint: "any of these, with commas between them" }],
    ["wake_word.sensitivity", "Sensitivity", "share", { hint: "higher wakes more easily" }],
    ["wake_word.timeout", "Time to speak", "number", { step: 1, unit: "s" }],
  ],
  "Sound": [
    ["audio.source", "Source", "text", { hint: "microphone, or file:PATH on the server" }],
    ["audio.device", "Microphone", "text", { empty: null, list: "microphones", hint: "empty takes the system's default" }],
    ["audio.channel", "Channel", "number", { step: 1, hint: "of a microphone with several, counted from 1; empty mixes all" }],
    ["audio.gain", "Gain", "number", { step: 0.1, hint: "factor on the samples; what is then too loud is clipped" }],
  ],
};

const inputs = new Map(); // path → {read, write, input}
let config = {};
let opened = ""; // the whole as it was opened or saved, to know of changes
let saved = () => {};

/** Open the editor on a profile. Throws `Refused`. */
export async function edit(name) {
  const profile = await call("GET", `system/profiles/${encodeURIComponent(name)}`);
  config = profile.config;
  $("editor-title").textContent = profile.builtin ? `A profile like ${name}` : `Profile ${name}`;
  $("name").value = profile.builtin ? `my-${name}` : name;
  $("name-hint").textContent = profile.builtin
    ? "built-in profiles stay as they are: yours gets a name of its own"
    : "another name saves a copy";
  $("delete").hidden = profile.builtin;
  $("delete").dataset.name = name;
  show();
  showJson();
  opened = $("json").value;
  complain("");
  $("editor").showModal();
  $("editor-body").scrollTop = 0;
  suggest();
}

/** Build the form. `onSaved(name)` is told of what was saved, `onSaved(null)` of a deletion. */
export function wireEditor(onSaved) {
  saved = onSaved;
  for (const [title, fields] of Object.entries(FIELDS)) {
    const group = make("fieldset", {}, title && make("legend", {}, title));
    group.append(...fields.map((field) => row(...field)));
    $("fields").append(group);
  }
  const dialog = $("editor");
  dialog.querySelector("form").addEventListener("submit", save);
  dialog.querySelector(".close").addEventListener("click", leave);
  dialog.addEventListener("cancel", (event) => {
    event.preventDefault();
    leave();
  });
  $("json").addEventListener("input", readJson);
  $("delete").addEventListener("click", remove);
  wireFiles({ mayLeave, attempt, complain, saved: done });
}

function row(path, label, kind, how = {}) {
  const id = `field-${path.replaceAll(".", "-")}`;
  const field = KINDS[kind](how);
  field.input.id = id;
  field.input.addEventListener("input", () => {
    set(path, field.read());
    showJson();
  });
  inputs.set(path, field);
  if (kind === "switch") return make("label", { className: "check" }, field.input, label);
  const name = make("label", { htmlFor: id }, how.unit ? `${label}, ${how.unit}` : label);
  const box = make("div", { className: `field ${kind}` }, name, field.input, field.output ?? "");
  if (how.hint) {
    box.append(make("p", { id: `${id}-hint`, className: "hint" }, how.hint));
    field.input.setAttribute("aria-describedby", `${id}-hint`);
  }
  return box;
}

const KINDS = {
  text: ({ empty = "", list }) => {
    const input = make("input", { type: "text", spellcheck: false, autocomplete: "off" });
    if (list) input.setAttribute("list", list);
    return plain(input, empty);
  },
  long: ({ empty }) => plain(make("textarea", { rows: 2 }), empty),
  choice: ({ options, empty = "" }) => {
    const input = make("select", {}, ...options.map((option) => make("option", {}, option)));
    return plain(input, empty);
  },
  switch: () => {
    const input = make("input", { type: "checkbox" });
    return { input, read: () => input.checked, write: (value) => (input.checked = value) };
  },
  number: ({ step }) => {
    const input = make("input", { type: "number", step: "any", inputMode: "decimal", min: 0 });
    input.dataset.step = step;
    return { input, read: () => (input.value === "" ? null : input.valueAsNumber), write: (value) => (input.value = value) };
  },
  share: () => {
    const input = make("input", { type: "range", min: 0, max: 1, step: 0.05 });
    const output = make("output");
    const say = () => (output.textContent = input.valueAsNumber.toFixed(2));
    input.addEventListener("input", say);
    const write = (value) => {
      input.value = value;
      say();
    };
    return { input, output, read: () => input.valueAsNumber, write };
  },
  list: () => {
    const input = make("input", { type: "text", spellcheck: false, autocomplete: "off" });
    const read = () => input.value.split(",").map((word) => word.trim()).filter(Boolean);
    return { input, read, write: (value) => (input.value = (value ?? []).join(", ")) };
  },
};

function plain(input, empty) {
  return { input, read: () => input.value || empty, write: (value) => (input.value = value ?? "") };
}

function set(path, value) {
  const names = path.split(".");
  const last = names.pop();
  let part = config;
  for (const name of names) part = part[name] ??= {};
  part[last] = value;
}

function show() {
  for (const [path, field] of inputs) {
    const value = path.split(".").reduce((part, name) => part?.[name], config);
    if (value !== undefined) field.write(value);
  }
}

function showJson() {
  $("json").value = JSON.stringify(config, null, 2);
  complainOfJson("");
}

function readJson() {
  try {
    const read = JSON.parse($("json").value);
    if (read === null || Array.isArray(read) || typeof read !== "object") throw new Error("a profile is an object: {…}");
    config = read;
    show();
    complainOfJson("");
  } catch (fault) {
    complainOfJson(`Not yet JSON: ${fault.message}`);
  }
}

function complainOfJson(fault) {
  $("json-fault").textContent = fault;
  $("json-fault").hidden = !fault;
  $("json").setAttribute("aria-invalid", Boolean(fault));
}

async function save(event) {
  event.preventDefault();
  if (!$("json-fault").hidden) return $("json").focus();
  const name = $("name").value.trim();
  if (!name) return complain("Give it a name.", $("name"));
  await attempt(async () => {
    await call("POST", `system/profiles/${encodeURIComponent(name)}`, config);
    done(name);
  });
}

async function remove() {
  const { name } = $("delete").dataset;
  if (!confirm(`Delete the profile ${name}?`)) return;
  await attempt(async () => {
    await call("DELETE", `system/profiles/${encodeURIComponent(name)}`);
    done(null);
  });
}

async function attempt(act) {
  $("save").disabled = $("delete").disabled = true;
  complain("");
  try {
    await act();
  } catch (fault) {
    if (!(fault instanceof Refused)) throw fault;
    complain(`${fault.error}: ${fault.details}`, named(fault));
  } finally {
    $("save").disabled = $("delete").disabled = false;
  }
}

// The server's words are "vad.sensitivity: … (got 7); …": mark the fields that they name.
function named(fault) {
  let first = fault.status === 409 ? $("name") : null;
  for (const [path, { input }] of inputs) {
    const wrong = fault.details.split("; ").some((clause) => clause.startsWith(`${path}:`) || clause.startsWith(`${path}.`));
    input.setAttribute("aria-invalid", wrong);
    if (wrong) first ??= input;
  }
  return first;
}

function complain(text, input = null) {
  $("editor-fault").textContent = text;
  $("editor-fault").hidden = !text;
  if (!text) for (const field of inputs.values()) field.input.removeAttribute("aria-invalid");
  input?.focus();
}

const mayLeave = () => $("json").value === opened || confirm("Throw your changes to this profile away?");

function leave() {
  if (mayLeave()) close();
}

function done(name) {
  close();
  saved(name);
}

const close = () => $("editor").close();

// Names that may be typed; without them the fields work as well.
async function suggest() {
  const [engines, devices] = await Promise.allSettled([call("GET", "system/engines"), call("GET", "system/devices")]);
  const option = (label) => ({ name }) => make("option", { value: name, label });
  const place = (engine, model) => (engine.name === "openai" ? "at OpenAI" : model.installed ? "on this machine" : "to be downloaded");
  const models = (engines.value?.engines ?? []).flatMap((engine) => engine.models.map((model) => option(place(engine, model))(model)));
  $("models").replaceChildren(...models);
  $("microphones").replaceChildren(...(devices.value?.devices ?? []).map(option("")));
}
