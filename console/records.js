// @ts-check
/** What a site's back end shows its managers: the form's history, the audit trail, roles not given. */
import { element } from "./dom.js";

/** @import { Backend } from "./backend.js" */

/** Most entries of each that are shown. */
const SHOWN = "50";

/**
 * @param {HTMLElement} room
 * @param {Backend} backend
 */
export function showRecords(room, backend) {
  room.replaceChildren(
    folded("history", "The form's history", () => history(backend)),
    folded("audit", "Audit trail", () => audit(backend)),
    folded("grants", "Roles that could not be given", () => grants(backend)),
  );
}

/**
 * Read each time it is opened, and when something in it was done.
 * @param {string} id
 * @param {string} title
 * @param {() => Promise<Row[]>} read
 */
function folded(id, title, read) {
  const list = element("ol", { class: "records" });
  const state = element("p", { class: "state", role: "status" });
  const made = /** @type {HTMLDetailsElement} */ (element("details", { id }, element("summary", {}, title), state, list));
  const load = async () => {
    const rows = await read();
    state.textContent = rows.length > 0 ? "" : "None.";
    list.replaceChildren(...rows.map((row) => draw(row)));
  };
  const guarded = async (/** @type {() => Promise<any>} */ doing) => {
    try {
      await doing();
      await load();
    } catch (error) {
      state.textContent = /** @type {Error} */ (error).message;
    }
  };
  const draw = (/** @type {Row} */ { at, text, action }) => {
    const row = element("li", {}, element("time", { datetime: new Date(at).toISOString() }, new Date(at).toLocaleString()), element("span", {}, text));
    if (!action) return row;
    const button = element("button", { type: "button", class: "plain" }, action.label);
    button.addEventListener("click", () => guarded(action.then));
    row.append(button);
    return row;
  };
  made.addEventListener("toggle", () => made.open && guarded(async () => {}));
  return made;
}

/** @typedef {{ at: number, text: string, action?: { label: string, then: () => Promise<any> } }} Row */

/**
 * @param {Backend} backend
 * @returns {Promise<Row[]>}
 */
async function history(backend) {
  const { versions } = await backend.read("/form/versions", { limit: SHOWN });
  const newest = String(versions[0]?.apv);
  return versions.map((/** @type {any} */ { apv, actor, at }, /** @type {number} */ index) => ({
    at,
    text: `version ${apv}, ${by(actor)}`,
    // Only if nobody has changed it since this list was read.
    action: index > 0 && { label: "Restore", then: () => backend.change(`/form/versions/${apv}/restore`, { base: newest }) },
  }));
}

/**
 * @param {Backend} backend
 * @returns {Promise<Row[]>}
 */
async function audit(backend) {
  const { entries } = await backend.read("/audit", { limit: SHOWN });
  return entries.map((/** @type {any} */ { at, actor, action, detail }) => {
    const particulars = Object.entries(detail).map(([name, value]) => `${name} ${value ?? "none"}`);
    return { at, text: `${action.replaceAll("_", " ")}, ${by(actor)}: ${particulars.join(", ")}` };
  });
}

/**
 * @param {Backend} backend
 * @returns {Promise<Row[]>}
 */
async function grants(backend) {
  const { role_grants: failed } = await backend.read("/role-grants", { state: "failed", limit: SHOWN });
  return failed.map((/** @type {any} */ { id, user, role, submission, error, created_at }) => ({
    at: created_at,
    text: `role ${role} for user ${user}, application ${submission}: ${error}`,
    action: { label: "Try again", then: () => backend.change(`/role-grants/${id}/retry`) },
  }));
}

/** @param {string | null} actor */
const by = (actor) => (actor ? `by user ${actor}` : "by the gateway itself");
