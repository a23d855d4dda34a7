// Profiles as files: the editor's Export and Import.

import { Refused, call } from "./api.js";
import { $, offer } from "./dom.js";

const LARGEST = 1 << 20; // bytes: a profile has a few hundred

/** Wire the two buttons to the editor that they stand in. */
export function wireFiles(editor) {
  $("export").addEventListener("click", () => save(editor));
  $("import").addEventListener("click", () => editor.mayLeave() && $("file").click());
  $("file").addEventListener("change", () => {
    const [file] = $("file").files;
    $("file").value = ""; // The same file again is a change again.
    if (file) editor.attempt(() => load(file, editor));
  });
}

// What is in the editor now, saved on the server or not.
function save({ complain }) {
  if (!$("json-fault").hidden) return complain("Not exported: the JSON below isn't whole yet.", $("json"));
  offer(`${$("json").value}\n`, `${nameOf($("name").value)}.json`, "application/json");
}

async function load(file, { complain, saved }) {
  const config = file.size > LARGEST ? null : await file.text().then(parsed);
  if (!config) return complain(`${file.name} is no profile: choose a file that was exported as one.`);
  const name = nameOf(file.name);
  const { profiles } = await call("GET", "system/profiles");
  const there = profiles.some((one) => one.name === name && !one.builtin);
  if (there && !confirm(`Replace the profile ${name}?`)) return;
  try {
    await call("POST", `system/profiles/${encodeURIComponent(name)}`, config);
  } catch (fault) {
    if (!(fault instanceof Refused)) throw fault;
    return complain(`${file.name}: ${fault.details}`); // The form shows another profile's values.
  }
  saved(name);
}

function parsed(text) {
  try {
    const config = JSON.parse(text);
    return config && typeof config === "object" && !Array.isArray(config) ? config : null;
  } catch {
    return null;
  }
}

/** What a profile may be called, as near to a file's name as can be. */
function nameOf(name) {
  const plain = name.toLowerCase().replace(/\.json$/, "").replaceAll(/[^a-z0-9._-]+/g, "-");
  return plain.replace(/^[._-]+/, "").replace(/-+$/, "").slice(0, 64) || "imported";
}
