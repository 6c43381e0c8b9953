// @ts-check
/** The applicant's side: a draft that is kept as it is typed, and the submission. */
import { element } from "./dom.js";
import { showLive } from "./live.js";

/** @typedef {import("../sdk/js/session.js").FormSession} FormSession */
/** @typedef {import("../sdk/js/session.js").Access} Access */
/** @typedef {import("../sdk/js/guildgate.js").Guildgate} Guildgate */

/**
 * @param {HTMLElement} room
 * @param {Guildgate} gateway
 * @param {Access} access
 */
export function showApply(room, gateway, access) {
  const look = {
    title: "Apply",
    begin: "Fill in an application",
    done: "Close the draft",
    ids: { begin: "fill-in", done: "fill-in-done", state: "apply-state", sheet: "answers" },
  };
  showLive(room, look, gateway, { ...access, target: "answers" }, {
    follow(session, say) {
      // Once for each start: a submission empties the draft too, and says something else.
      let hasStarted = false;
      session.on("restart", () => (hasStarted = false));
      session.on("document", () => {
        if (!hasStarted) say("what you type is kept as a draft");
        hasStarted = true;
      });
    },
    begun({ form }, session, say, sheet) {
      draw(sheet, form.document, session, say, () => submit(gateway, access.gid, session, form.apv, say));
    },
  });
}

/**
 * @param {HTMLElement} sheet
 * @param {any} form
 * @param {FormSession} session
 * @param {(text: string) => void} say
 * @param {() => void} submit
 */
function draw(sheet, form, session, say, submit) {
  const keep = (/** @type {string} */ id, /** @type {any} */ value) =>
    session
      .patch([{ op: "add", path: `/${id.replaceAll("~", "~0").replaceAll("/", "~1")}`, value }])
      .catch((error) => say(error.message));
  const fields = form.sections.flatMap((/** @type {any} */ section) => [
    element("h4", {}, section.title),
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
    return element("fieldset", {}, element("legend", {}, title), element("small", {}, field.description), ...boxes);
  }
  const input = /** @type {HTMLInputElement} */ (
    element(["input", "textarea", "select"][field.type], { "data-field": field.id })
  );
  if (field.type === 2) {
    input.append(...["", ...field.options].map((option) => element("option", { value: option }, option)));
  }
  if (field.required) input.setAttribute("aria-required", "true");
  input.value = answer ?? "";
  input.addEventListener("input", () => keep(field.id, input.value || null));
  return element("label", {}, title, input, element("small", {}, field.description));
}

/**
 * @param {Guildgate} gateway
 * @param {string} gid
 * @param {FormSession} session
 * @param {number} apv
 * @param {(text: string) => void} say
 */
async function submit(gateway, gid, session, apv, say) {
  try {
    await session.settled();
    await gateway.command("APPLICATION_SUBMIT", { gid, apv, answers: session.document });
    say("submitted; you will hear of it here");
  } catch (error) {
    say(/** @type {Error} */ (error).message);
  }
}
