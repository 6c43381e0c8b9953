// @ts-check
/** The applicant's side: a draft that is kept as it is typed, and the submission. */
import { CommandError } from "../sdk/js/errors.js";
import { checks, picker, text } from "./controls.js";
import { element } from "./dom.js";
import { at } from "./sheet.js";

/** @import { Live, Look } from "./live.js" */
/** @import { Sheet } from "./sheet.js" */
/** @typedef {{ apv: number, document: any }} Form */

/** What an applicant is told of a form that takes nothing now, by its status. */
const INTAKE = [
  "Applications are closed. What you write is kept, and can be submitted once they are open.",
  "",
  "Enough have applied. What you write is kept, and can be submitted if there is room again.",
];
const OPENING = 3;

/** What a refused submission comes to, by error code. @type {Record<string, string>} */
const REFUSED = {
  invalid_answers: "not submitted: see what is marked below",
  conflict: "not submitted, since the form has changed: see what is marked below",
};

/** Refusals that may rest on a form which has changed since it was drawn. */
const STALE = new Set(["invalid_answers", "closed", "full"]);

/** @type {Look} */
export const APPLY = {
  title: "Apply",
  begin: "Fill in an application",
  done: "Close the draft",
  ids: { begin: "fill-in", done: "fill-in-done", state: "apply-state", sheet: "answers" },
  target: "answers",
  follow(live) {
    const { session, sheet, say, signal } = live;
    /** The newest that is known. @type {Form} */
    let form = { apv: 0, document: { status: 0, status_data: null, sections: [] } };
    const take = (/** @type {Form} */ newer) => {
      if (newer.apv > form.apv) form = newer;
      draw(sheet, form.document, () => submit(live, form, take));
    };
    // The server tells applicants nothing of a form that changes: it is asked for when they come
    // back to the page, and when a refusal may come of it.
    const ask = () => session.refresh().catch(() => {});
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && ask(), { signal });
    sheet.onRefused = (error) => {
      if (error instanceof CommandError && STALE.has(error.code)) ask();
    };
    let isStarting = true;
    session.on("restart", () => (isStarting = true));
    session.on("form", (newer) => {
      const hasChanged = form.apv > 0 && newer.apv > form.apv;
      take(newer);
      if (hasChanged) say("the form has changed meanwhile: look through your answers");
      else if (isStarting) say("what you type is kept as a draft");
      isStarting = false;
    });
    session.on("document", () => form.apv > 0 && take(form));
  },
};

/**
 * @param {Sheet} sheet
 * @param {any} form
 * @param {() => void} submit
 */
function draw(sheet, form, submit) {
  sheet.draw(form, () => {
    const sections = form.sections.flatMap((/** @type {any} */ { title, description, fields }) => [
      element("h4", {}, title),
      ...(description ? [element("p", { class: "hint" }, description)] : []),
      ...fields.map((/** @type {any} */ field) => drawField(sheet, field)),
    ]);
    const send = element("button", { type: "button", id: "submit", "data-key": "submit" }, "Submit");
    send.addEventListener("click", submit);
    return [element("p", { id: "intake", class: "hint" }, intakeOf(form)), ...sections, element("div", { class: "row" }, send)];
  });
}

/** @param {any} form */
function intakeOf({ status, status_data }) {
  if (status !== OPENING) return INTAKE[status] ?? "";
  return `Applications open at ${new Date(status_data.opens_at).toLocaleString()}. What you write until then is kept.`;
}

/**
 * @param {Sheet} sheet
 * @param {any} field
 */
function drawField(sheet, field) {
  const pointer = `/${field.id.replaceAll("~", "~0").replaceAll("/", "~1")}`;
  const title = `${field.title}${field.required ? " *" : ""}`;
  // Of another type it is another control, whatever was typed into the one before.
  const node = sheet.control(at(`${field.id}:${field.type}`, pointer), () => {
    const hint = field.description;
    if (field.type === 3) return checks(title, field.options, hint);
    if (field.type === 2) {
      return picker(title, [[null, ""], ...field.options.map((/** @type {string} */ option) => [option, option])], hint);
    }
    return text(title, { name: field.type === 0 ? "input" : "textarea", hint, empty: null });
  });
  for (const input of node.querySelectorAll("input, select, textarea")) {
    input.setAttribute("data-field", field.id);
    if (field.required) input.setAttribute("aria-required", "true");
  }
  return node;
}

/**
 * @param {Live} live
 * @param {Form} form
 * @param {(newer: Form) => void} take
 */
async function submit({ gateway, gid, session, sheet, say }, form, take) {
  sheet.forgive();
  await sheet.settled();
  if (sheet.unkept > 0) return say("not submitted: what is marked below could not be kept");
  try {
    await gateway.command("APPLICATION_SUBMIT", { gid, apv: form.apv, answers: session.document });
    say("submitted; you will hear of it here");
  } catch (error) {
    const { code = "", details } = /** @type {Partial<CommandError>} */ (error);
    if (code === "conflict" && details) take({ apv: details.apv, document: details.document });
    sheet.refuse(error, REFUSED[code]);
  }
}
