// What was said before: searched, downloaded, deleted.

import { call, callForText } from "./api.js";
import { $, make, offer } from "./dom.js";
import { complain } from "./notices.js";

const PAGE = 50;
const SURE = 4000; // ms in which a second press deletes

let next = null; // where older ones begin
let count = 0;

const moment = new Intl.DateTimeFormat([], { dateStyle: "short", timeStyle: "medium" });

/** Show the newest that fits, or what comes before. */
async function search(before = null) {
  const query = new URLSearchParams({ ...wanted(), limit: PAGE, ...(before === null ? {} : { before }) });
  const page = await call("GET", `history/utterances?${query}`);
  if (before === null) {
    $("history-list").replaceChildren();
    count = 0;
  }
  $("history-list").append(...page.utterances.map(line));
  count += page.utterances.length;
  next = page.next;
  $("history-more").hidden = next === null;
  showCount();
}

function wanted() {
  const q = $("history-q").value.trim();
  return q ? { q } : {};
}

function showCount() {
  const more = next === null ? "" : " and more";
  $("history-count").textContent = count ? `${count} found${more}` : "nothing found";
  $("history-export").disabled = !count;
}

function line(said) {
  const when = new Date(said.timestamp * 1000);
  const text = make("span", { className: "text", dir: "auto" }, said.text);
  if (said.language) text.lang = said.language;
  const away = make("button", { type: "button", className: "small quiet", textContent: "Delete" });
  away.setAttribute("aria-label", `Delete: ${said.text}`);
  const shown = make("li", {}, make("time", { dateTime: when.toISOString() }, moment.format(when)), text, away);
  away.addEventListener("click", () => (away.dataset.sure ? remove(said, shown).catch(fail) : makeSure(away, said)));
  return shown;
}

// There is no way back: the same button has to be pressed twice.
function makeSure(button, said) {
  button.dataset.sure = "yes";
  button.textContent = "Really delete";
  button.className = "small bad";
  button.setAttribute("aria-label", `Really delete: ${said.text}`);
  setTimeout(() => {
    delete button.dataset.sure;
    button.textContent = "Delete";
    button.className = "small quiet";
    button.setAttribute("aria-label", `Delete: ${said.text}`);
  }, SURE);
}

async function remove(said, shown) {
  await call("DELETE", `history/utterances/${said.seq}`);
  shown.remove();
  count -= 1;
  showCount();
  $("history-list").focus();
}

async function download() {
  const format = $("history-format").value;
  const text = await callForText(`history/export?${new URLSearchParams({ ...wanted(), format })}`);
  offer(text, `transcript-${new Date().toLocaleString("sv").replace(/[ :]/g, "-")}.${format}`);
}

// A notice would lie behind the dialog.
function fail(fault) {
  $("history").close();
  complain(fault);
}

export function wireHistory() {
  const dialog = $("history");
  $("open-history").addEventListener("click", () => {
    dialog.showModal();
    $("history-q").focus();
    search().catch(fail);
  });
  dialog.querySelector("form").addEventListener("submit", (event) => {
    event.preventDefault();
    search().catch(fail);
  });
  dialog.querySelector(".close").addEventListener("click", () => dialog.close());
  $("history-more").addEventListener("click", () => search(next).catch(fail));
  $("history-export").addEventListener("click", () => download().catch(fail));
}
