// @ts-check
/** The managers' side: applications with their answers, to accept, deny or put on hold. */
import { Backend } from "./backend.js";
import { element } from "./dom.js";
import { showRecords } from "./records.js";

/** @import { CommandError } from "../sdk/js/errors.js" */
/** @import { Guildgate } from "../sdk/js/guildgate.js" */

/**
 * An application, as far as it is known: the protocol tells its id and its applicant, the HTTP API
 * the rest.
 * @typedef {{ id: string, user: string, status: string, answers?: Record<string, string | string[]>, apv?: number }} Application
 */

/** What a review makes of an application, by the number it has on the wire. */
const DECISIONS = [
  { label: "Accept", status: "accepted" },
  { label: "Deny", status: "denied" },
  { label: "Hold", status: "on_hold" },
];
/** What is still to be decided on. */
const OPEN = ["pending", "on_hold"];
/** Most applications of one status that are listed. */
const SHOWN = "50";

const ABOUT_THE_KEY =
  "Over the WebSocket a manager hears of applications and reviews them. Their answers, the form's history and the " +
  "audit trail are read over the HTTP API with the admin key: on a real site its back end does that, and no page ever " +
  "sees the key. To try it here, paste the one that the demo printed. It is kept in this page's memory alone.";

/**
 * @param {HTMLElement} room
 * @param {Guildgate} gateway
 * @param {string} gid
 * @param {string} uid of the manager
 */
export function showReviews(room, gateway, gid, uid) {
  const list = element("ul", { id: "submitted", class: "cards", "aria-live": "polite" });
  const state = element("p", { id: "reviews-state", class: "state", role: "status" });
  const records = element("div", { id: "records" });
  const key = /** @type {HTMLInputElement} */ (element("input", { id: "admin-key", type: "password", autocomplete: "off" }));
  const unlock = element(
    "form",
    { id: "unlock" },
    element("p", { class: "hint" }, ABOUT_THE_KEY),
    element("label", {}, "Admin key", key),
    element("div", { class: "row" }, element("button", { type: "submit" }, "Show applications")),
  );
  room.replaceChildren(element("h3", {}, "Applications to review"), unlock, state, list, records);
  const none = () => list.childElementCount === 0 && (state.textContent = "None that this page knows of. They appear here as they are submitted.");
  none();

  /** @type {Backend | null} */
  let backend = null;
  const row = (/** @type {Application} */ application, /** @type {any} */ form) => {
    list.querySelector(`[data-application="${CSS.escape(application.id)}"]`)?.remove();
    state.textContent = "";
    return drawApplication({ gateway, gid, uid }, application, form);
  };
  const load = async () => {
    if (!backend) return;
    const [pending, held] = await Promise.all(
      OPEN.map((status) => /** @type {Backend} */ (backend).read("/submissions", { status, limit: SHOWN })),
    );
    const applications = [...pending.submissions, ...held.submissions];
    const forms = await formsOf(backend, applications);
    list.replaceChildren(...applications.map((one) => row(one, forms.get(one.apv))));
    none();
  };
  unlock.addEventListener("submit", async (event) => {
    event.preventDefault();
    backend = new Backend(key.value.trim(), gid, uid);
    state.textContent = "one moment";
    try {
      await load();
      unlock.hidden = true;
      key.value = "";
      showRecords(records, backend);
    } catch (error) {
      backend = null;
      state.textContent = `nothing is shown: ${/** @type {Error} */ (error).message}`;
    }
  });
  gateway.on("APPLICATION_SUBMITTED", async (/** @type {any} */ { gid: at, id, uid: user }) => {
    if (at !== gid) return;
    list.prepend(row({ id, user, status: "pending" }, null));
    if (!backend) return;
    try {
      const application = await backend.read(`/submissions/${id}`);
      const forms = await formsOf(backend, [application]);
      list.prepend(row(application, forms.get(application.apv)));
    } catch (error) {
      state.textContent = `application ${id} could not be read: ${/** @type {Error} */ (error).message}`;
    }
  });
}

/**
 * The forms that applications answer, by version.
 * @param {Backend} backend
 * @param {Application[]} applications
 * @returns {Promise<Map<number | undefined, any>>}
 */
async function formsOf(backend, applications) {
  const versions = [...new Set(applications.map(({ apv }) => apv))];
  const read = versions.map(async (apv) => {
    const { document } = await backend.read(`/form/versions/${apv}`);
    return /** @type {const} */ ([apv, document]);
  });
  return new Map(await Promise.all(read));
}

/**
 * @param {{ gateway: Guildgate, gid: string, uid: string }} reviewer
 * @param {Application} application
 * @param {any} form the one that it answers, if it is known
 */
function drawApplication({ gateway, gid, uid }, { id, user, status, answers }, form) {
  // A decision is made on what its maker saw: whoever was first in the meantime wins.
  let expected = status;
  const note = /** @type {HTMLInputElement} */ (
    element("input", { placeholder: "a note to the applicant", "aria-label": `Note to the applicant of application ${id}`, "data-note": id })
  );
  const said = element("p", { class: "state", role: "status", tabindex: "-1" });
  const badge = element("span", { class: "badge" }, worded(status));
  const decide = (/** @type {{ label: string, status: string }} */ { label, status: made }, /** @type {number} */ decision) => {
    const button = element("button", { type: "button", "data-decision": String(decision), ...(decision > 0 && { class: "plain" }) }, label);
    button.addEventListener("click", async () => {
      try {
        await gateway.command("APPLICATION_REVIEW", { gid, id, proccessed_type: decision, note: note.value || null, expected });
        expected = made;
        said.textContent = `${label}: done, and the applicant is told.`;
      } catch (error) {
        const { message, code, details } = /** @type {CommandError} */ (error);
        if (code === "conflict") expected = details.status;
        const isTooLate = code === "conflict" && details.reviewer !== uid;
        said.textContent = isTooLate ? `Somebody else was first: ${message}.` : `Not done: ${message}.`;
      }
      badge.textContent = worded(expected);
      if (OPEN.includes(expected)) return;
      // Nothing is left to decide.
      row.remove();
      said.focus();
    });
    return button;
  };
  const head = element("div", { class: "guild-head" }, element("strong", {}, `Application ${id} by user ${user}`), badge);
  const row = element("div", { class: "row" }, note, ...DECISIONS.map(decide));
  return element("li", { "data-application": id }, head, ...(answers ? [drawAnswers(answers, form)] : []), row, said);
}

/**
 * @param {Record<string, string | string[]>} answers
 * @param {any} form
 */
function drawAnswers(answers, form) {
  const fields = (form?.sections ?? []).flatMap((/** @type {any} */ section) => section.fields);
  const titles = new Map(fields.map((/** @type {any} */ { id, title }) => [id, title]));
  const ids = [...new Set([...titles.keys(), ...Object.keys(answers)])];
  const rows = ids.flatMap((id) => {
    const answer = [answers[id] ?? "–"].flat().join(", ");
    return [element("dt", {}, titles.get(id) ?? id), element("dd", {}, answer)];
  });
  return element("dl", { class: "answers" }, ...rows);
}

/** @param {string} status */
const worded = (status) => status.replaceAll("_", " ");
