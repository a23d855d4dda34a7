// The stream of events: reconnects with growing pauses and resumes where it was.

import { Refused, call, open } from "./api.js";

const FIRST_PAUSE = 0.5; // seconds; each further one doubles
const LONGEST_PAUSE = 15;
const QUIET = 20_000; // ms without a word from the server, after which it is asked for one
const PATIENCE = 8_000; // ms for its answer

export class Link {
  /** `onEvent(event)`; `onState({state, reason, seconds})`; `onStatus(status)` before each try. */
  constructor(onEvent, onState, onStatus) {
    Object.assign(this, { onEvent, onState, onStatus });
    this.seq = null; // of the last durable event
    this.server = null;
    this.attempt = 0;
    this.hurry = () => {};
    this.socket = null;
  }

  async run() {
    for (;;) {
      this.onState({ state: "connecting" });
      const fault = await this.#talk();
      this.attempt += 1;
      if (fault?.status === 401) {
        this.onState({ state: "locked", reason: "token wanted" });
        await new Promise((resolve) => (this.hurry = resolve));
      } else await this.#pause(fault?.details ?? "connection lost");
    }
  }

  /** End the pause before the next try. */
  retryNow() {
    this.hurry();
  }

  /** Connect anew, as after the token was forgotten. */
  drop() {
    this.socket?.close();
    this.hurry();
  }

  // A browser's socket can't tell why it was refused: ask over REST first, which can.
  async #talk() {
    try {
      this.onStatus(await call("GET", "system/status"));
    } catch (fault) {
      if (fault instanceof Refused) return fault;
      throw fault;
    }
    await this.#listen();
    return null;
  }

  #listen() {
    return new Promise((resolve) => {
      const socket = open("ws", this.seq === null ? {} : { since: this.seq });
      this.socket = socket;
      let last = Date.now();
      const watch = setInterval(() => {
        const quiet = Date.now() - last;
        if (quiet > QUIET + PATIENCE) end();
        else if (quiet > QUIET && socket.readyState === WebSocket.OPEN) socket.send('{"command":"ping"}');
      }, PATIENCE / 2);
      const end = () => {
        clearInterval(watch);
        socket.onmessage = socket.onclose = null;
        socket.close();
        resolve();
      };
      socket.onclose = end;
      socket.onmessage = ({ data }) => {
        last = Date.now();
        this.#take(JSON.parse(data));
      };
    });
  }

  #take(event) {
    if (event.event === "welcome") this.#greet(event);
    else if (event.seq != null) {
      if (event.seq <= this.seq) return;
      this.seq = event.seq;
    }
    this.onEvent(event);
  }

  #greet(welcome) {
    const known = this.server !== null;
    const server = welcome.cluster ?? welcome.server_id; // All of a cluster number alike.
    welcome.first = !known;
    welcome.restarted = known && this.server !== server;
    if (this.seq === null) this.seq = welcome.seq ?? -1;
    else if (welcome.restarted) this.seq = -1; // Another server's numbers say nothing about this one's.
    this.server = server;
    this.attempt = 0;
    this.onState({ state: "up" });
  }

  async #pause(reason) {
    const seconds = Math.min(FIRST_PAUSE * 2 ** Math.min(this.attempt - 1, 10), LONGEST_PAUSE);
    const until = Date.now() + seconds * (0.8 + 0.4 * Math.random()) * 1000;
    let hurried = false;
    const hurry = new Promise((resolve) => {
      this.hurry = () => resolve((hurried = true));
    });
    while (!hurried && Date.now() < until) {
      const left = until - Date.now();
      this.onState({ state: "waiting", reason, seconds: Math.ceil(left / 1000) });
      await Promise.race([hurry, new Promise((resolve) => setTimeout(resolve, Math.min(left, 500)))]);
    }
    this.hurry = () => {};
  }
}
