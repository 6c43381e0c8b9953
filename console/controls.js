// @ts-check
/** What one types into: each shows a value and gives the one that stands in it. */
import { element } from "./dom.js";

/**
 * @typedef {object} Control
 * @property {HTMLElement} node what goes on the sheet
 * @property {() => any} read the value that stands in it; `Incomplete` if it is none yet
 * @property {(value: any) => void} show
 * @property {boolean} [isText] whether it is typed: what is refused stays in it to be mended
 */

/** That what stands in a control is no value yet, and what is missing. */
export class Incomplete {
  /** @param {string} message */
  constructor(message) {
    this.message = message;
  }
}

/**
 * @param {string} label
 * @param {{ name: "input" | "textarea", hint?: string, empty?: any }} how `empty` is what an empty text means
 * @returns {Control}
 */
export function text(label, { name, hint = "", empty = "" }) {
  const input = /** @type {HTMLInputElement} */ (element(name));
  return {
    node: labelled(label, input, hint),
    isText: true,
    read: () => input.value || empty,
    show: (value) => rewrite(input, value ?? ""),
  };
}

/**
 * The id of a role, or null.
 * @param {string} label
 * @param {string} hint
 * @returns {Control}
 */
export function roleId(label, hint) {
  const control = text(label, { name: "input", hint, empty: null });
  return {
    ...control,
    read() {
      const id = control.read();
      // One half typed is an id as well, of another role.
      return id === null || /^\d{17,20}$/.test(id) ? id : new Incomplete("Not kept yet: a role's id has 17 to 20 digits.");
    },
  };
}

/**
 * One text a line.
 * @param {string} label
 * @returns {Control}
 */
export function lines(label) {
  const input = /** @type {HTMLTextAreaElement} */ (element("textarea"));
  return {
    node: labelled(label, input),
    isText: true,
    read: () => input.value.split("\n").map((line) => line.trim()).filter(Boolean),
    show: (value) => rewrite(input, (value ?? []).join("\n")),
  };
}

/**
 * @param {string} label
 * @param {[value: any, name: string][]} offered
 * @param {string} [hint]
 * @returns {Control}
 */
export function picker(label, offered, hint) {
  const select = /** @type {HTMLSelectElement} */ (element("select"));
  select.append(...offered.map(([, name], at) => element("option", { value: String(at) }, name)));
  return {
    node: labelled(label, select, hint),
    read: () => offered[select.selectedIndex]?.[0],
    show: (value) => void (select.selectedIndex = offered.findIndex(([one]) => one === (value ?? null))),
  };
}

/**
 * @param {string} label
 * @returns {Control}
 */
export function check(label) {
  const box = checkbox();
  const node = element("div", { class: "control" }, element("label", { class: "check" }, box, label));
  return { node, read: () => box.checked, show: (value) => void (box.checked = value === true) };
}

/**
 * Any of the options, in their order.
 * @param {string} label
 * @param {string[]} options
 * @param {string} hint
 * @returns {Control}
 */
export function checks(label, options, hint) {
  const boxes = options.map(checkbox);
  const rows = boxes.map((box, at) => element("label", { class: "check" }, box, options[at]));
  return {
    node: element("fieldset", { class: "control" }, element("legend", {}, label), ...hinted(hint), ...rows),
    read: () => options.filter((_, at) => boxes[at].checked),
    show: (value) => boxes.forEach((box, at) => (box.checked = (value ?? []).includes(options[at]))),
  };
}

/**
 * Two whole numbers, the second not below the first.
 * @param {string} label
 * @returns {Control}
 */
export function bounds(label) {
  const [least, most] = ["at least", "at most"].map((which) => number({ min: "0", "aria-label": `${label}, ${which}` }));
  return {
    node: element("div", { class: "control pair", role: "group", "aria-label": label }, element("span", {}, label), least, "to", most),
    isText: true,
    read() {
      if (least.value === "" && most.value === "") return undefined;
      const pair = [least, most].map((input) => (input.value === "" ? NaN : Number(input.value)));
      const isPair = pair.every((one) => Number.isSafeInteger(one) && one >= 0) && pair[0] <= pair[1];
      return isPair ? pair : new Incomplete("Two whole numbers, the second not below the first.");
    },
    show(value) {
      rewrite(least, String(value?.[0] ?? ""));
      rewrite(most, String(value?.[1] ?? ""));
    },
  };
}

const STATUS = ["closed", "open", "full", "opening at a time", "open up to a limit"];
const [OPENING, LIMITED] = [3, 4];
const LIMIT_MAX = 1_000_000;

/**
 * A form's `{status, status_data}`: the time or the limit goes with the status that needs it.
 * @returns {Control}
 */
export function status() {
  const { node, ...picked } = picker("Status", STATUS.map((name, at) => [at, name]));
  const time = /** @type {HTMLInputElement} */ (element("input", { type: "datetime-local" }));
  const limit = number({ min: "1", max: String(LIMIT_MAX) });
  const [timed, limited] = [labelled("Opens at", time), labelled("Most submissions", limit)];
  /** What is kept for the other statuses. @type {any} */
  let data = null;
  const fold = () => {
    timed.hidden = picked.read() !== OPENING;
    limited.hidden = picked.read() !== LIMITED;
  };
  node.addEventListener("input", fold);
  fold();
  return {
    node: element("div", { class: "control fields" }, node, timed, limited),
    read() {
      const status = picked.read();
      if (status === OPENING) {
        const at = new Date(time.value).getTime();
        // A time that is past, such as one half typed, would open the form at once.
        if (!(at > Date.now())) return new Incomplete("Not kept yet: say when it opens, a time to come.");
        return { status, status_data: { ...data, opens_at: at } };
      }
      if (status === LIMITED) {
        const most = Number(limit.value);
        const isLimit = Number.isInteger(most) && most >= 1 && most <= LIMIT_MAX;
        if (!isLimit) return new Incomplete(`Not kept yet: say how many, a whole number from 1 to ${LIMIT_MAX}.`);
        return { status, status_data: { ...data, limit: most } };
      }
      return { status, status_data: data };
    },
    show(value) {
      data = value.status_data;
      picked.show(value.status);
      time.value = data?.opens_at === undefined ? "" : localMinute(data.opens_at);
      limit.value = String(data?.limit ?? "");
      fold();
    },
  };
}

/**
 * A moment as `datetime-local` writes it.
 * @param {number} ms
 */
function localMinute(ms) {
  const offset = new Date(ms).getTimezoneOffset() * 60_000;
  return new Date(ms - offset).toISOString().slice(0, 16);
}

/**
 * @param {string} label
 * @param {HTMLElement} input
 * @param {string} [hint]
 */
function labelled(label, input, hint = "") {
  return element("div", { class: "control" }, element("label", {}, label, input), ...hinted(hint));
}

/** @param {string} hint */
const hinted = (hint) => (hint ? [element("small", {}, hint)] : []);

const checkbox = () => /** @type {HTMLInputElement} */ (element("input", { type: "checkbox" }));

/** @param {Record<string, string>} attributes */
const number = (attributes) => /** @type {HTMLInputElement} */ (element("input", { type: "number", step: "1", ...attributes }));

/**
 * Puts another text in, and leaves the cursor at the words it stood at.
 * @param {HTMLInputElement | HTMLTextAreaElement} input
 * @param {string} value
 */
function rewrite(input, value) {
  const { value: before, selectionStart, selectionEnd } = input;
  if (before === value) return;
  input.value = value;
  // A number's cursor cannot be asked for.
  if (selectionStart === null || selectionEnd === null || document.activeElement !== input) return;
  input.setSelectionRange(caretAfter(before, value, selectionStart), caretAfter(before, value, selectionEnd));
}

/**
 * Where a cursor at `at` of the text `before` belongs once the text is `after`.
 * @param {string} before
 * @param {string} after
 * @param {number} at
 */
export function caretAfter(before, after, at) {
  const shorter = Math.min(before.length, after.length);
  let head = 0;
  while (head < shorter && before[head] === after[head]) head++;
  if (at <= head) return at;
  let tail = 0;
  while (tail < shorter - head && before[before.length - 1 - tail] === after[after.length - 1 - tail]) tail++;
  return at >= before.length - tail ? at + after.length - before.length : after.length - tail;
}
