// The microphone of the browser as a source: AudioWorklet → /api/v1/audio, events back.

import { call, open } from "./api.js";

const WORKLET = new URL("recorder-worklet.js", import.meta.url);
const AHEAD = 10; // seconds of sound that may wait for the network
const PATIENCE = 60_000; // ms for the last words after the stop

/** Why there is no sound, in words for a person. */
export class NoSound extends Error {
  constructor(title, details) {
    super(details);
    this.title = title;
  }
}

/** One streaming of the microphone. `onEvent(event)`, `onLost(seconds)` as sound is dropped. */
export class Recorder {
  constructor(onEvent, onLost) {
    Object.assign(this, { onEvent, onLost, lost: 0, sessionId: null });
    this.over = new Promise((resolve) => (this.end = resolve)); // → "", or what broke it
  }

  /** Open the microphone and a session of its own. Throws `NoSound` or `Refused`. */
  async start(device, profile) {
    this.stream = await microphone(device);
    this.context = new AudioContext({ latencyHint: "interactive" });
    try {
      await this.context.resume();
      await this.context.audioWorklet.addModule(WORKLET);
      await this.#connect(profile);
      this.#route();
    } catch (fault) {
      this.#release();
      throw fault;
    }
  }

  /** Hear no more; `over` resolves after the last words have come. */
  async stop() {
    if (this.stopping) return this.over;
    this.stopping = true;
    // The worklet hands over what it still holds, then says so.
    if (this.node) {
      await new Promise((resolve) => {
        this.drained = resolve;
        this.node.port.postMessage("stop");
        setTimeout(resolve, 500);
      });
    }
    this.#silence();
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send('{"command":"stop"}');
    setTimeout(() => this.socket.close(), PATIENCE);
    return this.over;
  }

  // A browser's socket can't tell why it was refused: ask over REST first, which can.
  async #connect(profile) {
    await call("GET", "system/status");
    this.socket = open("audio");
    this.socket.binaryType = "arraybuffer";
    await new Promise((resolve, reject) => {
      let fault = "the server closed the connection";
      this.socket.onopen = () =>
        this.socket.send(
          JSON.stringify({ profile, sample_rate: this.context.sampleRate, encoding: "pcm_s16le", channels: 1 }),
        );
      this.socket.onmessage = ({ data }) => {
        const event = JSON.parse(data);
        if (event.event === "session_started") {
          this.sessionId = event.session_id;
          resolve();
        } else if (event.event === "error") fault = `${event.error}: ${event.details}`;
        if (this.sessionId) this.#take(event);
      };
      this.socket.onclose = ({ reason }) => {
        reject(new NoSound("Session not opened", fault || reason));
        this.#release();
        this.end(this.stopped ? "" : reason || "the connection broke");
      };
    });
  }

  #take(event) {
    this.stopped ||= event.event === "session_stopped";
    this.onEvent(event);
  }

  #route() {
    this.node = new AudioWorkletNode(this.context, "recorder", { outputChannelCount: [1] });
    this.node.port.onmessage = ({ data }) => (data ? this.#send(data) : this.drained?.());
    this.context.createMediaStreamSource(this.stream).connect(this.node);
    // Its output is silence; being heard is what keeps it going in every browser.
    this.node.connect(this.context.destination);
    this.stream.getTracks()[0].addEventListener("ended", () => this.stop());
    // Phones turn the sound off together with the screen.
    navigator.wakeLock?.request("screen").then((lock) => (this.lock = lock), () => {});
  }

  #send(sound) {
    if (this.socket.readyState !== WebSocket.OPEN) return;
    const rate = this.context.sampleRate;
    if (this.socket.bufferedAmount > AHEAD * rate * 2) {
      this.lost += sound.byteLength / 2 / rate;
      this.onLost(this.lost);
    } else this.socket.send(sound);
  }

  #silence() {
    this.stream?.getTracks().forEach((track) => track.stop());
    if (this.context?.state !== "closed") this.context?.close();
    this.lock?.release().catch(() => {});
  }

  #release() {
    this.#silence();
    this.socket?.close();
  }
}

/** Return the microphones that may be chosen from, once the browser tells their names. */
export async function microphones() {
  const devices = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
  return devices.filter(({ kind, label, deviceId }) => kind === "audioinput" && label && deviceId);
}

async function microphone(device) {
  if (!navigator.mediaDevices?.getUserMedia) throw new NoSound("No microphone here", insecure());
  // What is meant for telephony costs the engine words.
  const audio = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  if (device) audio.deviceId = { exact: device };
  try {
    return await navigator.mediaDevices.getUserMedia({ audio });
  } catch (fault) {
    throw new NoSound("No microphone", reasons[fault.name] ?? `${fault.name}: ${fault.message}`);
  }
}

const reasons = {
  NotAllowedError:
    "the browser was told not to give this page the microphone. Allow it with the sign beside the address, or in the browser's settings, and try again.",
  NotFoundError: "this machine has no microphone. Plug one in and try again.",
  NotReadableError: "the microphone is taken by another program, or the system keeps it from the browser.",
  OverconstrainedError: "the chosen microphone is gone. Choose another.",
};

function insecure() {
  if (isSecureContext) return "this browser can't record.";
  const { hostname, port } = location;
  const number = port || "80";
  return (
    `browsers give their microphone only to pages from https:// or from this machine itself, not to ${location.origin}. ` +
    `Put HTTPS in front of the server, or run: ssh -L ${number}:127.0.0.1:${number} ${hostname} — and open http://localhost:${number}/ instead.`
  );
}
