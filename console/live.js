// @ts-check
/** What the editor and the applicant's sheet share: a session that is begun, shown and over. */
import { FormSession } from "../sdk/js/session.js";
import { element } from "./dom.js";

/** @typedef {import("../sdk/js/session.js").Access} Access */
/** @typedef {import("../sdk/js/guildgate.js").Guildgate} Guildgate */

/**
 * @typedef {object} Look
 * @property {string} title
 * @property {string} begin what the button says that begins
 * @property {string} done what the button says that ends
 * @property {{ begin: string, done: string, state: string, sheet: string }} ids
 */

/**
 * @typedef {object} Show
 * @property {(session: FormSession, say: (text: string) => void, sheet: HTMLElement) => void} follow
 *   before it begins: what to listen to
 * @property {(answer: any, session: FormSession, say: (text: string) => void, sheet: HTMLElement) => void} [begun]
 */

/**
 * Fills `room` with a button to begin, what is to be said, and a sheet to draw on.
 * @param {HTMLElement} room
 * @param {Look} look
 * @param {Guildgate} gateway
 * @param {Access} access
 * @param {Show} show
 */
export function showLive(room, { title, begin, done, ids }, gateway, access, show) {
  const beginning = element("button", { type: "button", id: ids.begin }, begin);
  const ending = element("button", { type: "button", id: ids.done, class: "plain", hidden: "" }, done);
  const state = element("p", { id: ids.state, role: "status" });
  const sheet = element("div", { id: ids.sheet });
  room.replaceChildren(element("h3", {}, title), element("div", { class: "row" }, beginning, ending), state, sheet);
  /** @type {FormSession} */
  let session;
  const say = (/** @type {string} */ text) => void (state.textContent = text);
  const over = (/** @type {string} */ why) => {
    say(why);
    // Whoever was in the sheet is not thrown back to the top of the page.
    const wasIn = sheet.contains(document.activeElement) || document.activeElement === ending;
    sheet.replaceChildren();
    ending.hidden = true;
    beginning.removeAttribute("disabled");
    if (wasIn) beginning.focus();
  };
  beginning.addEventListener("click", async () => {
    beginning.setAttribute("disabled", "");
    say("one moment");
    session = new FormSession(gateway, access);
    show.follow(session, say, sheet);
    session.on("restart", ({ reason }) => say(`starting again: ${reason}`));
    session.on("reauth", ({ reason }) => say(`authenticating again: ${reason}`));
    session.on("end", ({ reason }) => over(`the session is over: ${reason}`));
    try {
      const answer = await session.start();
      ending.hidden = false;
      show.begun?.(answer, session, say, sheet);
    } catch (error) {
      over(/** @type {Error} */ (error).message);
    }
  });
  ending.addEventListener("click", async () => {
    await session.end().catch(() => {});
    over("");
  });
}
