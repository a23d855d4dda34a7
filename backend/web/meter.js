// How loud it is and whether it is speech, on scales that never move.

import { $ } from "./dom.js";

const FLOOR = -60; // dBFS
const PAST = 240; // levels in the picture: about 15 s
const ZEROS = -99; // dBFS below which there are only digital zeros
const STALE = 1500; // ms after which a level says nothing about now

const past = [];
let followed = null; // the session whose sound is shown
let newest = 0;
let spoken = 0;
let zerosSince = null;

/** Show a level. One session's at a time: two in one meter would only flicker. */
export function showLevel(level, source) {
  const now = Date.now();
  if (level.session_id !== followed) {
    if (now - newest < STALE) return;
    followed = level.session_id;
    past.length = 0;
    zerosSince = null;
  }
  newest = now;
  past.push(level);
  if (past.length > PAST) past.shift();
  $("heard-from").textContent = source;
  fill("level", share(level.rms_dbfs), `${Math.max(level.rms_dbfs, -99).toFixed(0)} dB`);
  $("level").style.setProperty("--peak", share(level.peak_dbfs));
  fill("speech", level.speech, level.speech.toFixed(2));
  setLamp(level.speaking, level.speaking ? "speaking" : "quiet");
  warnOfZeros(level, now);
  sayValues(level, now);
  requestAnimationFrame(draw);
}

/** A session ended: if it was shown, the meter rests. */
export function rest(session) {
  if (session === undefined || session === followed) {
    followed = null;
    newest = 0;
    fill("level", 0, "–");
    $("level").style.setProperty("--peak", 0);
    fill("speech", 0, "–");
    setLamp(false, "no sound");
    $("heard-from").textContent = "";
    $("mute").hidden = true;
  }
}

const share = (dbfs) => Math.min(1, Math.max(0, 1 - dbfs / FLOOR));

function fill(id, part, text) {
  $(id).style.setProperty("--part", part);
  $(`${id}-text`).textContent = text;
}

function setLamp(speaking, text) {
  $("lamp").dataset.speaking = speaking;
  if ($("lamp-text").textContent !== text) $("lamp-text").textContent = text;
}

function warnOfZeros(level, now) {
  if (level.rms_dbfs > ZEROS) zerosSince = null;
  else zerosSince ??= now;
  $("mute").hidden = zerosSince === null || now - zerosSince < 3000;
}

// Fifteen values a second are for the eye; once a second is enough for who asks the meter.
function sayValues(level, now) {
  if (now - spoken < 1000) return;
  spoken = now;
  $("level").setAttribute("aria-valuenow", Math.max(FLOOR, Math.round(level.rms_dbfs)));
  $("level").setAttribute("aria-valuetext", `${Math.round(level.rms_dbfs)} dB below full scale`);
  $("speech").setAttribute("aria-valuenow", level.speech);
}

function draw() {
  const canvas = $("past");
  const { clientWidth, clientHeight } = canvas;
  if (!clientWidth) return; // Not shown to who wants less motion.
  const ratio = devicePixelRatio;
  const [width, height] = [Math.round(clientWidth * ratio), Math.round(clientHeight * ratio)];
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const pen = canvas.getContext("2d");
  pen.clearRect(0, 0, width, height);
  const style = getComputedStyle(canvas);
  const step = width / PAST;
  past.forEach((level, index) => {
    const tall = Math.max(share(level.rms_dbfs) * height, ratio);
    pen.fillStyle = style.getPropertyValue(level.speaking ? "--good" : "--faint");
    const left = width - (past.length - index) * step;
    pen.fillRect(left, (height - tall) / 2, Math.max(step - ratio * 0.75, ratio * 0.5), tall);
  });
}

export function wireMeter() {
  new ResizeObserver(draw).observe($("past"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
}
