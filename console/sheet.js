// @ts-check
/**
 * A sheet of controls, each bound to a place of a session's document.
 *
 * A control shows what the document says, except while what was typed into it is not answered
 * yet, or was refused and is to be mended. One patch a control is under way at a time, and it tests
 * that the value is still the one its maker saw: of two who change it at once, one is told.
 */
import { CommandError } from "../sdk/js/errors.js";
import { read, same } from "../sdk/js/patch.js";
import { Incomplete } from "./controls.js";
import { element } from "./dom.js";

/** @import { Control } from "./controls.js" */
/** @import { FormSession } from "../sdk/js/session.js" */
/** @import { Operation } from "../sdk/js/patch.js" */
/** @typedef {{ pointer: string, message: string }} Fault */

/**
 * @typedef {object} Place where a control's value is
 * @property {string} key stays with the place while others come and go around it
 * @property {string[]} pointers whose faults belong to it
 * @property {(document: any) => any} of the value
 * @property {(value: any, seen: any) => Operation[]} patch puts `value` where `seen` was
 */

/** @typedef {Place & { control: Control, fault: HTMLElement }} Bound */

/**
 * What was typed and is not in the document.
 * @typedef {object} Typed
 * @property {any} seen what the document said when it was begun
 * @property {any} value what stands in the control
 * @property {Promise<void> | null} sending
 */

/** How often a patch is sent again whose place alone has moved. */
const TRIES_MAX = 5;

let ids = 0;

export class Sheet {
  /** @type {Map<string, Bound>} */ #bound = new Map();
  /** What was bound before the drawing that is under way. @type {Map<string, Bound>} */ #before = new Map();
  /** @type {Map<string, Typed>} */ #typed = new Map();
  #shape = "";
  /** Is told every refusal, beside what is shown of it. @type {(error: any) => void} */ onRefused = () => {};

  /**
   * @param {HTMLElement} room
   * @param {FormSession} session
   * @param {(text: string) => void} say
   */
  constructor(room, session, say) {
    this.room = room;
    this.session = session;
    this.say = say;
  }

  /**
   * Builds the sheet where its shape is another than before; brings its values up to date.
   * @param {any} shape all that `build` makes of the document, but for values
   * @param {() => Node[]} build
   */
  draw(shape, build) {
    const text = JSON.stringify(shape);
    if (text !== this.#shape) {
      this.#shape = text;
      [this.#before, this.#bound] = [this.#bound, new Map()];
      keepingFocus(this.room, () => this.room.replaceChildren(...build()));
      this.#before.clear();
      for (const key of [...this.#typed.keys()]) {
        if (this.#bound.has(key)) continue;
        this.#typed.delete(key);
        this.say("what you were typing in was removed meanwhile");
      }
    }
    this.#update();
  }

  /**
   * The control at a place: the one that is there, where it holds what is not kept yet.
   * @param {Place} place
   * @param {() => Control} make
   * @returns {HTMLElement}
   */
  control(place, make) {
    const { key } = place;
    const before = this.#before.get(key);
    const isKept = before && this.#typed.has(key);
    const { control, fault } = isKept ? before : this.#made(key, make());
    if (before && !isKept && !before.fault.hidden) tell({ control, fault }, ...before.fault.childNodes);
    for (const [at, input] of inputs(control.node).entries()) {
      input.dataset.key = at === 0 ? key : `${key}:${at}`;
      input.dataset.path = place.pointers[0];
    }
    this.#bound.set(key, { ...place, control, fault });
    return control.node;
  }

  /**
   * @param {string} label
   * @param {string} key
   * @param {() => Operation[]} patch what pressing it changes
   */
  button(label, key, patch) {
    const made = element("button", { type: "button", class: "plain", "data-key": key }, label);
    made.addEventListener("click", () => {
      this.session.patch(patch()).catch((error) => this.refuse(error));
    });
    return made;
  }

  /**
   * Shows why something was refused: beside the controls it is about, or as the sheet's state.
   * @param {any} error
   * @param {string} words what it comes to, in words for whoever uses the page
   */
  refuse(error, words = error.message) {
    this.#update();
    this.onRefused(error);
    const rest = this.#faults(error).filter((fault) => !this.#showFault(fault));
    const about = rest.map(({ pointer, message }) => `${pointer}: ${message}`).join("; ");
    this.say(about ? `${words} (${about})` : words);
  }

  /** Takes away what was said beside controls, but for what is still not kept. */
  forgive() {
    for (const { key, fault, control } of this.#bound.values()) {
      if (!this.#typed.has(key)) clear(fault, control.node);
    }
  }

  /** How many controls hold what could not be kept. */
  get unkept() {
    return [...this.#typed.values()].filter(({ sending }) => !sending).length;
  }

  /** Waits until all that was typed is kept or refused. */
  async settled() {
    await Promise.all([...this.#typed.values()].map(({ sending }) => sending));
    await this.session.settled();
  }

  clear() {
    this.#bound.clear();
    this.#typed.clear();
    this.#shape = "";
    this.room.replaceChildren();
  }

  /**
   * @param {string} key
   * @param {Control} control
   */
  #made(key, control) {
    const fault = element("p", { class: "fault", id: `fault-${++ids}`, role: "alert", hidden: "" });
    control.node.append(fault);
    control.node.addEventListener("input", () => this.#onInput(key));
    return { control, fault };
  }

  #update() {
    for (const { key, control, of } of this.#bound.values()) {
      const value = of(this.session.document);
      if (!this.#typed.has(key) && !same(control.read(), value)) control.show(value);
    }
  }

  /** @param {string} key */
  #onInput(key) {
    const bound = this.#bound.get(key);
    if (!bound) return;
    const value = bound.control.read();
    const typed = this.#typed.get(key) ?? { seen: bound.of(this.session.document), value, sending: null };
    typed.value = value;
    this.#typed.set(key, typed);
    clear(bound.fault, bound.control.node);
    if (value instanceof Incomplete) {
      tell(bound, value.message);
    } else if (!typed.sending && same(value, typed.seen)) {
      this.#typed.delete(key);
      this.#update();
    } else {
      typed.sending ??= this.#send(key, typed);
    }
  }

  /**
   * Sends what was typed, and what is typed meanwhile.
   * @param {string} key
   * @param {Typed} typed
   */
  async #send(key, typed) {
    for (let tries = 1; ; tries++) {
      const bound = this.#bound.get(key);
      if (!bound) return;
      const { value } = typed;
      if (value instanceof Incomplete) break;
      try {
        await this.session.patch(bound.patch(value, typed.seen));
      } catch (error) {
        // Where the value is still the one that was seen, only what is around it has changed.
        const now = this.#bound.get(key)?.of(this.session.document);
        if (codeOf(error) === "conflict" && tries < TRIES_MAX && same(now, typed.seen)) continue;
        typed.sending = null;
        return this.#refused(key, typed, error);
      }
      tries = 0;
      typed.seen = value;
      if (!same(typed.value, value)) continue;
      this.#typed.delete(key);
      this.#update();
      return;
    }
    typed.sending = null;
  }

  /**
   * @param {string} key
   * @param {Typed} typed
   * @param {any} error
   */
  #refused(key, typed, error) {
    const bound = this.#bound.get(key);
    if (!bound) return this.say(error.message);
    const isConflict = codeOf(error) === "conflict";
    // A refused text stays to be mended; a refused choice goes back to what holds.
    if (isConflict || !bound.control.isText) this.#typed.delete(key);
    this.#update();
    this.onRefused(error);
    if (isConflict) return this.#collided(key, typed.value);
    // What does not point here is still about what was typed here.
    const faults = this.#faults(error).filter((fault) => !this.#showFault(fault));
    if (bound.fault.hidden) tell(bound, faults.map(({ message }) => message).join("; ") || error.message);
  }

  /**
   * Somebody was first: theirs is shown, one's own can still be put there.
   * @param {string} key
   * @param {any} mine
   */
  #collided(key, mine) {
    const bound = this.#bound.get(key);
    if (!bound) return;
    tell(bound, "This was changed at the same time, by somebody else or in another tab; that is shown. ");
    if (typeof mine !== "string") return;
    const put = element("button", { type: "button", class: "plain" }, "Put mine there");
    put.addEventListener("click", () => {
      const control = this.#bound.get(key)?.control;
      if (!control) return;
      control.show(mine);
      inputs(control.node)[0]?.focus();
      this.#onInput(key);
    });
    bound.fault.append(`Yours was: “${mine}” `, put);
  }

  /**
   * @param {any} error
   * @returns {Fault[]}
   */
  #faults(error) {
    const { faults, pointer } = error?.details ?? {};
    return faults ?? (pointer ? [{ pointer, message: error.message }] : []);
  }

  /**
   * Whether there is a control that it is about.
   * @param {Fault} fault
   */
  #showFault({ pointer, message }) {
    const isAt = (/** @type {string} */ place) => pointer === place || pointer.startsWith(`${place}/`);
    const bound = [...this.#bound.values()].find(({ pointers }) => pointers.some(isAt));
    if (bound) tell(bound, message);
    return bound !== undefined;
  }
}

/**
 * The place of the value at a pointer; one that may not be there yet is added.
 * @param {string} key
 * @param {string} pointer
 * @returns {Place}
 */
export function at(key, pointer) {
  return {
    key,
    pointers: [pointer],
    of(document) {
      try {
        return read(document, pointer);
      } catch {
        return undefined;
      }
    },
    patch: (value, seen) => putting(pointer, value, seen),
  };
}

/**
 * Puts `value` where `seen` was, or where nothing was.
 * @param {string} path
 * @param {any} value
 * @param {any} seen
 * @returns {Operation[]}
 */
export function putting(path, value, seen) {
  if (value === undefined) return [{ op: "test", path, value: seen }, { op: "remove", path }];
  if (seen === undefined) return [{ op: "add", path, value }];
  return [{ op: "test", path, value: seen }, { op: "replace", path, value }];
}

/** @param {unknown} error */
const codeOf = (error) => (error instanceof CommandError ? error.code : "");

/**
 * @param {HTMLElement} node
 * @returns {HTMLElement[]}
 */
const inputs = (node) => [.../** @type {NodeListOf<HTMLElement>} */ (node.querySelectorAll("input, select, textarea"))];

/**
 * @param {{ control: Control, fault: HTMLElement }} bound
 * @param {...(string | Node)} message
 */
function tell({ control, fault }, ...message) {
  fault.hidden = false;
  fault.replaceChildren(...message);
  for (const input of inputs(control.node)) {
    input.setAttribute("aria-invalid", "true");
    input.setAttribute("aria-describedby", fault.id);
  }
}

/**
 * @param {HTMLElement} fault
 * @param {HTMLElement} node
 */
function clear(fault, node) {
  fault.hidden = true;
  fault.replaceChildren();
  for (const input of inputs(node)) {
    input.removeAttribute("aria-invalid");
    input.removeAttribute("aria-describedby");
  }
}

/**
 * Builds anew, and puts the focus and the cursor back where they were.
 * @param {HTMLElement} room
 * @param {() => void} build
 */
function keepingFocus(room, build) {
  const active = /** @type {any} */ (document.activeElement);
  const key = room.contains(active) ? active.dataset.key : undefined;
  const { selectionStart, selectionEnd } = active ?? {};
  build();
  if (key === undefined) return;
  const again = /** @type {any} */ (room.querySelector(`[data-key="${CSS.escape(key)}"]`));
  // What was removed under the cursor leaves it on the sheet, not at the top of the page.
  (again ?? room).focus();
  if (again && typeof selectionStart === "number") again.setSelectionRange?.(selectionStart, selectionEnd);
}
