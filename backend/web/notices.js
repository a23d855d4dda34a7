// What went wrong and how to mend it, until it is put away.

import { $, make } from "./dom.js";

const MOST = 4;

/** Show a notice; the same one again is counted. `kind` is "bad", "warn" or "info". */
export function notice(kind, title, details = "") {
  const key = `${kind}\n${title}\n${details}`;
  const same = [...$("notices").children].find((shown) => shown.dataset.key === key);
  if (same) {
    const times = (same.dataset.times = Number(same.dataset.times) + 1);
    same.querySelector(".times").textContent = ` ×${times}`;
    return same;
  }
  const close = make("button", { type: "button", className: "small quiet", textContent: "✕" });
  close.setAttribute("aria-label", "Put this notice away");
  const shown = make(
    "div",
    { className: `notice ${kind}` },
    make("p", {}, make("strong", {}, title), make("span", { className: "times" }), details && ` ${details}`),
    close,
  );
  shown.setAttribute("role", kind === "info" ? "status" : "alert");
  Object.assign(shown.dataset, { key, details, times: 1 });
  close.addEventListener("click", () => shown.remove());
  $("notices").append(shown);
  while ($("notices").children.length > MOST) $("notices").firstChild.remove();
  return shown;
}

/** Put away what has these details: it is over. */
export function dismiss(details) {
  for (const shown of showing(details)) shown.remove();
}

/** The notices that have these details. */
export const showing = (details) => [...$("notices").children].filter((shown) => shown.dataset.details === details);

/** Show a fault of a request: the server's words, which hold the cure. */
export function complain(fault) {
  if (fault.status === undefined) throw fault;
  if (fault.status !== 401) notice("bad", fault.error, fault.details);
}
