// @ts-check
/** The form, edited live with everybody else who is in the session. */
import { bounds, check, lines, picker, roleId, status, text } from "./controls.js";
import { element } from "./dom.js";
import { SectionNames } from "./sections.js";
import { at, putting } from "./sheet.js";

/** @import { Look } from "./live.js" */
/** @import { Place, Sheet } from "./sheet.js" */

const TYPES = ["short text", "long text", "one choice", "check boxes"];
const [FIRST_CHOICE, ONE_CHOICE] = [2, 2];

/** @type {Look} */
export const EDITOR = {
  title: "The form",
  begin: "Edit the form",
  done: "Stop editing",
  ids: { begin: "edit", done: "edit-done", state: "editor-state", sheet: "sheet" },
  target: "form",
  follow({ session, sheet, say }) {
    const names = new SectionNames();
    const tell = () => {
      const others = session.participants.map(({ tag }) => tag).join(", ") || "nobody else";
      say(`version ${session.apv}, with ${others}`);
    };
    session.on("document", (form) => (drawForm(sheet, form, names.of(form.sections)), tell()));
    session.on("participants", tell);
  },
};

/**
 * @param {Sheet} sheet
 * @param {any} form
 * @param {string[]} names of its sections
 */
function drawForm(sheet, form, names) {
  const fields = (/** @type {any} */ section) =>
    section.fields.map((/** @type {any} */ { id, type, options }) => [id, type, Boolean(options)]);
  const shape = form.sections.map((/** @type {any} */ section, /** @type {number} */ index) => [names[index], fields(section)]);
  sheet.draw(shape, () => [
    element(
      "div",
      { class: "fields" },
      sheet.control(STATUS, status),
      sheet.control(roleOnAccept, () => roleId("Role given to whoever is accepted", "A role's id; empty for none.")),
    ),
    ...form.sections.map((/** @type {any} */ section, /** @type {number} */ index) =>
      drawSection(sheet, section, `/sections/${index}`, names[index], index + 1),
    ),
    sheet.button("Add a section", "add-section", () => [{ op: "add", path: "/sections/-", value: newSection() }]),
  ]);
}

/** The status and its data are one value: neither is taken without the other. @type {Place} */
const STATUS = {
  key: "status",
  pointers: ["/status", "/status_data"],
  of: ({ status, status_data }) => ({ status, status_data: status_data ?? null }),
  patch: (value, seen) => [
    ...putting("/status", value.status, seen.status),
    ...putting("/status_data", value.status_data, seen.status_data ?? undefined),
  ],
};

const roleOnAccept = at("role", "/role_on_accept");

/**
 * @param {Sheet} sheet
 * @param {any} section
 * @param {string} path
 * @param {string} name
 * @param {number} number
 */
function drawSection(sheet, section, path, name, number) {
  return element(
    "fieldset",
    {},
    element("legend", {}, `Section ${number}`),
    element(
      "div",
      { class: "fields" },
      sheet.control(at(`${name}/title`, `${path}/title`), () => text("Title", { name: "input" })),
      sheet.control(at(`${name}/description`, `${path}/description`), () => text("Description", { name: "textarea" })),
    ),
    ...section.fields.map((/** @type {any} */ field, /** @type {number} */ index) =>
      drawField(sheet, field, `${path}/fields/${index}`, index + 1),
    ),
    element(
      "div",
      { class: "row" },
      sheet.button("Add a field", `${name}/add`, () => [{ op: "add", path: `${path}/fields/-`, value: newField() }]),
      sheet.button("Remove the section", `${name}/remove`, () => [{ op: "remove", path }]),
    ),
  );
}

/**
 * @param {Sheet} sheet
 * @param {any} field
 * @param {string} path
 * @param {number} number
 */
function drawField(sheet, field, path, number) {
  const place = (/** @type {string} */ key) => at(`field-${field.id}/${key}`, `${path}/${key}`);
  const takesLength = field.type !== ONE_CHOICE;
  return element(
    "fieldset",
    { class: "field" },
    element("legend", {}, `Question ${number} `, element("span", { class: "mono", title: "by which answers name it" }, field.id)),
    element(
      "div",
      { class: "fields" },
      sheet.control(place("title"), () => text("Question", { name: "input" })),
      sheet.control(place("description"), () => text("Explanation", { name: "textarea" })),
      sheet.control(typeOf(field, path), () => picker("Type", TYPES.map((name, at) => [at, name]))),
      ...(takesLength ? [sheet.control(place("length"), () => bounds(field.type < FIRST_CHOICE ? "Characters" : "Choices"))] : []),
      ...(field.options ? [sheet.control(place("options"), () => lines("Options, one a line"))] : []),
    ),
    element(
      "div",
      { class: "row apart" },
      sheet.control(place("required"), () => check("required")),
      sheet.button("Remove the field", `field-${field.id}/remove`, () => [{ op: "remove", path }]),
    ),
  );
}

/**
 * A field's type: another one takes other options and another length.
 * @param {any} field
 * @param {string} path
 * @returns {Place}
 */
function typeOf(field, path) {
  const place = at(`field-${field.id}/type`, `${path}/type`);
  return {
    ...place,
    patch: (type, seen) => [
      ...place.patch(type, seen),
      ...(type >= FIRST_CHOICE && !field.options ? [{ op: "add", path: `${path}/options`, value: ["Yes", "No"] }] : []),
      ...(type < FIRST_CHOICE && field.options ? [{ op: "remove", path: `${path}/options` }] : []),
      { op: "add", path: `${path}/length`, value: type < FIRST_CHOICE ? [0, 1000] : type === ONE_CHOICE ? [0, 1] : [0, 2] },
    ],
  };
}

const newSection = () => ({ title: "New section", description: "", fields: [] });

function newField() {
  // Not randomUUID: a page that is served without TLS has none.
  const id = `f${crypto.getRandomValues(new Uint32Array(1))[0].toString(16)}`;
  return { id, title: "New question", description: "", type: 0, length: [0, 100], required: false };
}
