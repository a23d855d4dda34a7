// Requests and sockets, with the token on both.

const BASE = new URL("api/v1/", document.baseURI);
const KEY = "stt-token";

let held = stored();
let doorkeeper = async () => false;

/** What the server refused, or that it wasn't there (status 0). */
export class Refused extends Error {
  constructor(status, error, details) {
    super(`${error}: ${details}`);
    Object.assign(this, { status, error, details });
  }
}

export const hasToken = () => held !== "";

/** Use a token from now on: for this tab, or for this browser if it shall be remembered. */
export function keepToken(token, remember) {
  forgetToken();
  held = token;
  attempt(() => (remember ? localStorage : sessionStorage).setItem(KEY, token));
}

export function forgetToken() {
  held = "";
  attempt(() => sessionStorage.removeItem(KEY));
  attempt(() => localStorage.removeItem(KEY));
}

/** Name who asks for the token on a 401: told whether one was wrong; true means try again. */
export function setDoorkeeper(ask) {
  doorkeeper = ask;
}

/** Return the answer's JSON. Throws `Refused`. */
export const call = (method, path, body) => ask(method, path, body, (response) => response.json());

/** Return the answer's text. Throws `Refused`. */
export const callForText = (path) => ask("GET", path, undefined, (response) => response.text());

async function ask(method, path, body, read) {
  for (;;) {
    const used = held;
    const response = await send(method, path, body);
    const answer = await (response.ok ? read(response) : response.json()).catch(() => null);
    if (response.ok) return answer;
    // Another request may have asked for the token meanwhile.
    if (response.status === 401 && (held !== used || (await doorkeeper(used !== "")))) continue;
    throw new Refused(
      response.status,
      answer?.error ?? `HTTP ${response.status}`,
      answer?.details ?? response.statusText,
    );
  }
}

/** Return a WebSocket. Browsers can't set its headers: the token goes as a subprotocol. */
export function open(path, query = {}) {
  const url = new URL(path, BASE);
  url.protocol = url.protocol.replace("http", "ws");
  url.search = new URLSearchParams(query);
  return new WebSocket(url, held ? ["stt.v1", `bearer.${base64url(held)}`] : ["stt.v1"]);
}

async function send(method, path, body) {
  const headers = {};
  if (held) headers.Authorization = `Bearer ${held}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  try {
    return await fetch(new URL(path, BASE), {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store",
    });
  } catch {
    throw new Refused(0, "Server not reached", `nobody answers at ${BASE.host}; is stt-server running?`);
  }
}

function base64url(text) {
  const bytes = String.fromCharCode(...new TextEncoder().encode(text));
  return btoa(bytes).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

function stored() {
  return attempt(() => sessionStorage.getItem(KEY) ?? localStorage.getItem(KEY)) ?? "";
}

// A browser may forbid storage; then the token lives as long as the page.
function attempt(act) {
  try {
    return act();
  } catch {
    return null;
  }
}
