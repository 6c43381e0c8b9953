// @ts-check
/** What the editor and the applicant's sheet share: a session that is begun, shown and over. */
import { FormSession } from "../sdk/js/session.js";
import { element } from "./dom.js";
import { Sheet } from "./sheet.js";

/** @import { Access } from "../sdk/js/session.js" */
/** @import { Guildgate } from "../sdk/js/guildgate.js" */

/**
 * @typedef {object} Look
 * @property {string} title
 * @property {string} begin what the button says that begins
 * @property {string} done what the button says that ends
 * @property {{ begin: string, done: string, state: string, sheet: string }} ids
 * @property {"form" | "answers"} target
 * @property {(live: Live) => void} follow called before it begins: what to listen to
 */

/**
 * @typedef {object} Live
 * @property {Guildgate} gateway
 * @property {string} gid
 * @property {FormSession} session
 * @property {Sheet} sheet
 * @property {(text: string) => void} say
 * @property {AbortSignal} signal of its end
 */

/**
 * Fills `room` with a button to begin, what is to be said, and a sheet to draw on.
 * @param {HTMLElement} room
 * @param {Look} look
 * @param {Guildgate} gateway
 * @param {Access} access
 */
export function showLive(room, { title, begin, done, ids, target, follow }, gateway, access) {
  const beginning = element("button", { type: "button", id: ids.begin }, begin);
  const ending = element("button", { type: "button", id: ids.done, class: "plain", hidden: "" }, done);
  const state = element("p", { id: ids.state, class: "state", role: "status" });
  const paper = element("div", { id: ids.sheet, class: "sheet", tabindex: "-1" });
  room.replaceChildren(element("h3", {}, title), element("div", { class: "row" }, beginning, ending), state, paper);
  /** @type {FormSession} */
  let session;
  /** @type {Sheet} */
  let sheet;
  let life = new AbortController();
  const say = (/** @type {string} */ text) => void (state.textContent = text);
  const over = (/** @type {string} */ why) => {
    say(why);
    // Whoever was in the sheet is not thrown back to the top of the page.
    const wasIn = paper.contains(document.activeElement) || document.activeElement === ending;
    sheet.clear();
    life.abort();
    ending.hidden = true;
    beginning.hidden = false;
    beginning.removeAttribute("disabled");
    if (wasIn) beginning.focus();
  };
  beginning.addEventListener("click", async () => {
    beginning.setAttribute("disabled", "");
    say("one moment");
    session = new FormSession(gateway, { ...access, target });
    sheet = new Sheet(paper, session, say);
    life = new AbortController();
    follow({ gateway, gid: access.gid, session, sheet, say, signal: life.signal });
    session.on("restart", ({ reason }) => say(`starting again: ${reason}`));
    session.on("reauth", ({ reason }) => say(`authenticating again: ${reason}`));
    session.on("end", ({ reason }) => over(`the session is over: ${reason}`));
    try {
      await session.start();
    } catch (error) {
      return over(/** @type {Error} */ (error).message);
    }
    beginning.hidden = true;
    ending.hidden = false;
    // Where the focus was on what is gone now.
    if (document.activeElement === document.body) ending.focus();
  });
  ending.addEventListener("click", async () => {
    await sheet.settled();
    await session.end().catch(() => {});
    over("");
  });
}
