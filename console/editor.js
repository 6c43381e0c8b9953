// @ts-check
/** The form, edited live with everybody else who is in the session. */
import { element } from "./dom.js";
import { showLive } from "./live.js";

/** @typedef {import("../sdk/js/session.js").FormSession} FormSession */
/** @typedef {import("../sdk/js/session.js").Access} Access */
/** @typedef {import("../sdk/js/guildgate.js").Guildgate} Guildgate */

const STATUS = ["closed", "open", "full", "opening at a time", "open up to a limit"];
const TYPES = ["short text", "long text", "one choice", "check boxes"];

/**
 * Shows the editor in `room`, with a button to begin.
 * @param {HTMLElement} room
 * @param {Guildgate} gateway
 * @param {Access} access
 */
export function showEditor(room, gateway, access) {
  const look = {
    title: "The form",
    begin: "Edit the form",
    done: "Stop editing",
    ids: { begin: "edit", done: "edit-done", state: "editor-state", sheet: "sheet" },
  };
  showLive(room, look, gateway, access, {
    follow(session, say, sheet) {
      const tell = () => {
        const others = session.participants.map(({ tag }) => tag).join(", ") || "nobody else";
        say(`version ${session.apv}, with ${others}`);
      };
      session.on("document", (form) => (drawForm(sheet, form, session, say), tell()));
      session.on("participants", tell);
    },
  });
}

/**
 * @param {HTMLElement} sheet
 * @param {any} form
 * @param {FormSession} session
 * @param {(text: string) => void} say
 */
function drawForm(sheet, form, session, say) {
  const change = (/** @type {any[]} */ patch) => session.patch(patch).catch((error) => say(error.message));
  const status = picker("Status", STATUS, form.status, "status", (value) =>
    change([{ op: "replace", path: "/status", value }]),
  );
  const sections = form.sections.map((/** @type {any} */ section, /** @type {number} */ at) =>
    drawSection(section, at, change),
  );
  const more = button("Add a section", "add-section", () =>
    change([{ op: "add", path: "/sections/-", value: { title: "New section", description: "", fields: [] } }]),
  );
  keepingFocus(sheet, () => sheet.replaceChildren(status, ...sections, more));
}

/**
 * @param {any} section
 * @param {number} index
 * @param {(patch: any[]) => void} change
 */
function drawSection(section, index, change) {
  const path = `/sections/${index}`;
  const set = (/** @type {string} */ key) => (/** @type {any} */ value) =>
    change([{ op: "replace", path: `${path}/${key}`, value }]);
  const fields = section.fields.map((/** @type {any} */ field, /** @type {number} */ at) =>
    drawField(field, `${path}/fields/${at}`, change),
  );
  const add = button("Add a field", `${path}/add`, () =>
    change([{ op: "add", path: `${path}/fields/-`, value: newField() }]),
  );
  return element(
    "fieldset",
    {},
    element("legend", {}, `Section ${index + 1}`),
    text("Title", section.title, `${path}/title`, set("title")),
    text("Description", section.description, `${path}/description`, set("description")),
    ...fields,
    element("div", { class: "row" }, add, button("Remove the section", `${path}/remove`, () => change([{ op: "remove", path }]))),
  );
}

/**
 * @param {any} field
 * @param {string} path
 * @param {(patch: any[]) => void} change
 */
function drawField(field, path, change) {
  const set = (/** @type {string} */ key) => (/** @type {any} */ value) =>
    change([{ op: "replace", path: `${path}/${key}`, value }]);
  const retype = (/** @type {number} */ type) =>
    change([
      { op: "replace", path: `${path}/type`, value: type },
      ...(type >= 2 && !field.options ? [{ op: "add", path: `${path}/options`, value: ["Yes", "No"] }] : []),
      ...(type < 2 && field.options ? [{ op: "remove", path: `${path}/options` }] : []),
      { op: "replace", path: `${path}/length`, value: type < 2 ? [0, 1000] : type === 2 ? [0, 1] : [0, 2] },
    ]);
  const required = element("input", { type: "checkbox", "data-path": `${path}/required` });
  if (field.required) required.setAttribute("checked", "");
  required.addEventListener("change", () => set("required")(/** @type {HTMLInputElement} */ (required).checked));
  return element(
    "fieldset",
    { class: "field" },
    element("legend", {}, `Field ${field.id}`),
    text("Question", field.title, `${path}/title`, set("title")),
    text("Explanation", field.description, `${path}/description`, set("description")),
    picker("Type", TYPES, field.type, `${path}/type`, retype),
    ...(field.options
      ? [text("Options, comma between", field.options.join(", "), `${path}/options`, (value) =>
          set("options")(String(value).split(",").map((option) => option.trim()).filter(Boolean)))]
      : []),
    element("label", { class: "check" }, required, "required"),
    button("Remove the field", `${path}/remove`, () => change([{ op: "remove", path }])),
  );
}

function newField() {
  // Not randomUUID: a page that is served without TLS has none.
  const id = `f${crypto.getRandomValues(new Uint32Array(1))[0].toString(16)}`;
  return { id, title: "New question", description: "", type: 0, length: [0, 100], required: false };
}

/**
 * @param {string} label
 * @param {string} value
 * @param {string} path
 * @param {(value: string) => void} then
 */
function text(label, value, path, then) {
  const input = /** @type {HTMLInputElement} */ (element("input", { value, "data-path": path }));
  input.addEventListener("input", () => then(input.value));
  return element("label", {}, label, input);
}

/**
 * @param {string} label
 * @param {string[]} names
 * @param {number} value
 * @param {string} path
 * @param {(value: number) => void} then
 */
function picker(label, names, value, path, then) {
  const select = /** @type {HTMLSelectElement} */ (element("select", { "data-path": path }));
  select.append(...names.map((name, at) => element("option", { value: String(at) }, name)));
  select.value = String(value);
  select.addEventListener("change", () => then(Number(select.value)));
  return element("label", {}, label, select);
}

/**
 * @param {string} label
 * @param {string} path
 * @param {() => void} then
 */
function button(label, path, then) {
  const made = element("button", { type: "button", class: "plain", "data-path": path }, label);
  made.addEventListener("click", then);
  return made;
}

/**
 * Redraws and puts the cursor back where it was; what is being typed stays as typed.
 * @param {HTMLElement} sheet
 * @param {() => void} redraw
 */
function keepingFocus(sheet, redraw) {
  const active = /** @type {any} */ (document.activeElement);
  const path = sheet.contains(active) ? active.dataset.path : null;
  const { value, selectionStart, selectionEnd } = active ?? {};
  redraw();
  if (!path) return;
  const again = /** @type {any} */ (sheet.querySelector(`[data-path="${CSS.escape(path)}"]`));
  if (!again) return;
  if (typeof value === "string" && again.tagName === "INPUT" && again.type !== "checkbox") {
    again.value = value;
    again.focus();
    again.setSelectionRange(selectionStart, selectionEnd);
  } else {
    again.focus();
  }
}
