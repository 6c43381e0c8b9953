// @ts-check
/** The managers' side: applications as they come in, to accept, deny or put on hold. */
import { element } from "./dom.js";

/** @typedef {import("../sdk/js/guildgate.js").Guildgate} Guildgate */

/**
 * @param {HTMLElement} room
 * @param {Guildgate} gateway
 * @returns {() => void} stops listening
 */
export function showReviews(room, gateway) {
  const list = element("ul", { id: "submitted", "aria-live": "polite" });
  const empty = element("p", { class: "empty" }, "None since this page was opened. They appear here as they are submitted.");
  room.replaceChildren(element("h3", {}, "Applications coming in"), empty, list);
  return gateway.on("APPLICATION_SUBMITTED", ({ gid, id, uid }) => {
    empty.remove();
    const note = /** @type {HTMLInputElement} */ (
      element("input", { placeholder: "a note to the applicant", "aria-label": `Note to the applicant of application ${id}`, "data-note": id })
    );
    const state = element("span", { role: "status" });
    const decide = (/** @type {string} */ label, /** @type {number} */ decision) => {
      const made = element("button", { type: "button", "data-decision": String(decision) }, label);
      made.addEventListener("click", async () => {
        const d = { gid, id, proccessed_type: decision, note: note.value || null };
        await gateway.command("APPLICATION_REVIEW", d).then(
          () => (state.textContent = `${label}: done`),
          (error) => (state.textContent = error.message),
        );
      });
      return made;
    };
    const row = element("div", { class: "row" }, note, decide("Accept", 0), decide("Deny", 1), decide("Hold", 2));
    list.prepend(element("li", { "data-application": id }, `Application ${id} by user ${uid} `, row, state));
  });
}
