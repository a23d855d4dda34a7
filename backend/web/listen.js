// Starting and stopping: the server's own listening, and this browser's microphone.

import { call } from "./api.js";
import { $, make } from "./dom.js";
import { complain, notice } from "./notices.js";
import { NoSound, Recorder, microphones } from "./recorder.js";

let server = { running: false, profile: null };
let recorder = null;
let told = () => {};

/** The session that this browser's microphone feeds, if any. */
export const ownSession = () => recorder?.sessionId ?? null;

/** Show what the server says of its own listening. */
export function showServer(state) {
  server = state;
  showButtons();
}

/** Ask for the profiles and offer them. */
export async function loadProfiles(choose = null) {
  const { profiles, default: preset } = await call("GET", "system/profiles");
  const wanted = choose ?? ($("profile").value || server.profile || preset);
  const options = profiles.map(({ name, description, fault }) => {
    const option = make("option", { value: name, disabled: Boolean(fault) }, fault ? `${name} (damaged)` : name);
    option.dataset.about = fault ?? description;
    return option;
  });
  $("profile").replaceChildren(...options);
  const known = profiles.some(({ name, fault }) => name === wanted && !fault);
  $("profile").value = known ? wanted : preset;
  showButtons();
}

/** Wire the buttons. `onEvent(event)` gets the events of this browser's own session. */
export function wireListen(onEvent) {
  told = onEvent;
  $("profile").addEventListener("change", showButtons);
  // Browsers keep what was chosen over a reload.
  $("path").hidden = $("source").value !== "file";
  $("source").addEventListener("change", () => {
    $("path").hidden = $("source").value !== "file";
    if (!$("path").hidden) $("path").focus();
  });
  $("start").addEventListener("click", () => busy($("start"), () => (server.running ? stop() : start(false))));
  $("switch").addEventListener("click", () => busy($("switch"), () => start(true)));
  $("record").addEventListener("click", () => busy($("record"), () => (recorder ? recorder.stop() : record())));
  navigator.mediaDevices?.addEventListener?.("devicechange", showMicrophones);
  showMicrophones();
}

async function start(restart) {
  const body = { profile: $("profile").value || null, restart };
  const source = $("source").value;
  if (source === "file" && !$("path").value.trim()) {
    notice("warn", "No file named.", "Type the path of a sound file on the server's machine.");
    return $("path").focus();
  }
  if (source) body.custom_config = { audio: { source: source === "file" ? `file:${$("path").value.trim()}` : source } };
  await call("POST", "system/start", body);
}

const stop = () => call("POST", "system/stop");

async function record() {
  const mine = new Recorder(told, showLoss);
  recorder = mine;
  $("record-state").textContent = "opening the microphone…";
  try {
    await mine.start($("devices").value, $("profile").value || null);
  } catch (fault) {
    recorder = null;
    $("record-state").textContent = "";
    throw fault;
  }
  $("record-state").textContent = "what this microphone hears goes to the server";
  showMicrophones();
  mine.over.then((broken) => {
    recorder = null;
    $("record-state").textContent = "";
    if (broken) notice("bad", "The microphone's session broke off.", `${broken}. Start it again when the server is back.`);
    showButtons();
  });
}

function showLoss(seconds) {
  $("record-state").textContent = `the network can't keep up: ${seconds.toFixed(1)} s of sound were lost`;
}

// The browser tells names only after it has been allowed to listen.
async function showMicrophones() {
  const found = await microphones();
  const chosen = $("devices").value;
  $("devices").replaceChildren(...found.map(({ label, deviceId }) => make("option", { value: deviceId }, label)));
  if (found.some(({ deviceId }) => deviceId === chosen)) $("devices").value = chosen;
  $("devices").hidden = found.length < 2;
}

async function busy(button, act) {
  button.setAttribute("aria-busy", true);
  button.disabled = true;
  try {
    await act();
  } catch (fault) {
    if (fault instanceof NoSound) notice("bad", `${fault.title}:`, fault.message);
    else complain(fault);
  } finally {
    button.removeAttribute("aria-busy");
    button.disabled = false;
    showButtons();
  }
}

function showButtons() {
  const chosen = $("profile").value;
  $("profile-about").textContent = $("profile").selectedOptions[0]?.dataset.about ?? "";
  dress($("start"), server.running, "Start listening", "Stop listening", "primary");
  $("switch").hidden = !server.running || chosen === server.profile;
  $("switch").textContent = `Restart with ${chosen}`;
  dress($("record"), recorder !== null, "Use this microphone", "Stop this microphone", "");
}

function dress(button, on, start, stop, idle) {
  button.textContent = on ? stop : start;
  button.className = `grow ${on ? "bad" : idle}`;
}
