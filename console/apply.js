// @ts-check
/** The applicant's side: a draft that is kept as it is typed, and the submission. */
import { FormSession } from "../sdk/js/session.js";
import { element } from "./dom.js";

/** @typedef {import("../sdk/js/session.js").Access} Access */
/** @typedef {import("../sdk/js/guildgate.js").Guildgate} Guildgate */

/**
 * @param {HTMLElement} room
 * @param {Guildgate} gateway
 * @param {Access} access
 * @param {() => string} permissions as last told
 */
export function showApply(room, gateway, access, permissions) {
  const begin = element("button", { type: "button", id: "fill-in" }, "Fill in an application");
  const state = element("p", { id: "apply-state", role: "status" });
  const sheet = element("div", { id: "answers" });
  room.replaceChildren(element("h3", {}, "Apply"), begin, state, sheet);
  begin.addEventListener("click", async () => {
    begin.setAttribute("disabled", "");
    const session = new FormSession(gateway, { ...access, target: "answers" }, permissions());
    session.on("end", ({ reason }) => {
      state.textContent = `the draft is closed: ${reason}`;
      sheet.replaceChildren();
      begin.removeAttribute("disabled");
    });
    try {
      const { form } = await session.start();
      state.textContent = "what you type is kept as a draft";
      draw(sheet, form.document, session, state, () => submit(gateway, access.gid, session, form.apv, state));
    } catch (error) {
      state.textContent = /** @type {Error} */ (error).message;
      begin.removeAttribute("disabled");
    }
  });
}

/**
 * @param {HTMLElement} sheet
 * @param {any} form
 * @param {FormSession} session
 * @param {HTMLElement} state
 * @param {() => void} submit
 */
function draw(sheet, form, session, state, submit) {
  const keep = (/** @type {string} */ id, /** @type {any} */ value) =>
    session
      .patch([{ op: "add", path: `/${id.replaceAll("~", "~0").replaceAll("/", "~1")}`, value }])
      .catch((error) => (state.textContent = error.message));
  const fields = form.sections.flatMap((/** @type {any} */ section) => [
    element("h3", {}, section.title),
    ...section.fields.map((/** @type {any} */ field) => drawField(field, session.document[field.id], keep)),
  ]);
  const send = element("button", { type: "button", id: "submit" }, "Submit");
  send.addEventListener("click", submit);
  sheet.replaceChildren(...fields, element("div", { class: "row" }, send));
}

/**
 * @param {any} field
 * @param {any} answer
 * @param {(id: string, value: any) => void} keep
 */
function drawField(field, answer, keep) {
  const title = `${field.title}${field.required ? " *" : ""}`;
  if (field.type === 3) {
    const chosen = new Set(answer ?? []);
    const boxes = field.options.map((/** @type {string} */ option) => {
      const box = /** @type {HTMLInputElement} */ (element("input", { type: "checkbox", "data-field": field.id }));
      box.checked = chosen.has(option);
      box.addEventListener("change", () => {
        box.checked ? chosen.add(option) : chosen.delete(option);
        keep(field.id, [...chosen]);
      });
      return element("label", { class: "check" }, box, option);
    });
    return element("fieldset", {}, element("legend", {}, title), ...boxes);
  }
  const input = /** @type {HTMLInputElement} */ (
    element(["input", "textarea", "select"][field.type], { "data-field": field.id })
  );
  if (field.type === 2) {
    input.append(...["", ...field.options].map((option) => element("option", { value: option }, option)));
  }
  input.value = answer ?? "";
  input.addEventListener("input", () => keep(field.id, input.value || null));
  return element("label", {}, title, input, element("small", {}, field.description));
}

/**
 * @param {Guildgate} gateway
 * @param {string} gid
 * @param {FormSession} session
 * @param {number} apv
 * @param {HTMLElement} state
 */
async function submit(gateway, gid, session, apv, state) {
  try {
    await session.settled();
    await gateway.command("APPLICATION_SUBMIT", { gid, apv, answers: session.document });
    state.textContent = "submitted; you will hear of it here";
  } catch (error) {
    state.textContent = /** @type {Error} */ (error).message;
  }
}
