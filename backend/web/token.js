// The prompt for the token.

import { keepToken } from "./api.js";
import { $ } from "./dom.js";

let asking = null;

/** Ask for the token; return whether one was given. All who ask at a time share one prompt. */
export function askForToken(wasWrong) {
  asking ??= prompt(wasWrong).finally(() => (asking = null));
  return asking;
}

async function prompt(wasWrong) {
  const dialog = $("token-dialog");
  $("token").value = "";
  complain(wasWrong ? "That isn't this server's token." : "");
  dialog.returnValue = "";
  dialog.showModal();
  await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
  const given = dialog.returnValue === "given";
  if (given) keepToken($("token").value.trim(), $("remember").checked);
  return given;
}

function complain(fault) {
  $("token-fault").textContent = fault;
  $("token-fault").hidden = !fault;
}

export function wireToken() {
  const dialog = $("token-dialog");
  dialog.querySelector(".close").addEventListener("click", () => dialog.close());
  dialog.querySelector("form").addEventListener("submit", (event) => {
    event.preventDefault();
    // Nothing else fits into a header.
    if (/^[\x21-\x7e]+$/.test($("token").value.trim())) dialog.close("given");
    else complain("A token holds letters, digits and signs, without spaces.");
  });
}
