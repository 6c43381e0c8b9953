// @ts-check
/**
 * RFC 6902 on plain JSON values: just enough to follow what the server has already checked.
 */

/** @typedef {{ op: string, path: string, from?: string, value?: any }} Operation */

/**
 * The document after `patch`; the one given is left as it is.
 * @param {any} document
 * @param {Operation[]} patch
 * @returns {any}
 * @throws {Error} if an operation does not apply; then nothing has changed
 */
export function apply(document, patch) {
  let result = structuredClone(document);
  for (const operation of patch) result = step(result, operation);
  return result;
}

/**
 * @param {any} document
 * @param {Operation} operation
 */
function step(document, { op, path, from, value }) {
  switch (op) {
    case "add":
      return put(document, path, structuredClone(value), true);
    case "replace":
      read(document, path);
      return put(document, path, structuredClone(value), false);
    case "remove":
      return take(document, path).document;
    case "move": {
      const taken = take(document, from ?? "");
      return put(taken.document, path, taken.value, true);
    }
    case "copy":
      return put(document, path, structuredClone(read(document, from ?? "")), true);
    case "test":
      if (!same(read(document, path), value)) throw new Error(`test failed at ${path}`);
      return document;
    default:
      throw new Error(`no such operation: ${op}`);
  }
}

/** @param {string} pointer */
function steps(pointer) {
  if (pointer === "") return [];
  if (!pointer.startsWith("/")) throw new Error(`no JSON pointer: ${pointer}`);
  return pointer.slice(1).split("/").map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/**
 * What holds the last step of `pointer`, and that step.
 * @param {any} document
 * @param {string} pointer
 */
function holder(document, pointer) {
  const parts = steps(pointer);
  const last = /** @type {string} */ (parts.pop());
  const parent = parts.reduce((value, part) => child(value, part, pointer), document);
  return { parent, last };
}

/**
 * @param {any} parent
 * @param {string} part
 * @param {string} pointer
 */
function child(parent, part, pointer) {
  if (parent !== null && typeof parent === "object" && Object.hasOwn(parent, part)) return parent[part];
  throw new Error(`nothing at ${pointer}`);
}

/**
 * The value at a JSON pointer (RFC 6901).
 * @param {any} document
 * @param {string} pointer
 * @throws {Error} if there is none
 */
export function read(document, pointer) {
  return steps(pointer).reduce((value, part) => child(value, part, pointer), document);
}

/**
 * @param {any} document
 * @param {string} pointer
 * @param {any} value
 * @param {boolean} insert whether an array's element makes room
 */
function put(document, pointer, value, insert) {
  if (pointer === "") return value;
  const { parent, last } = holder(document, pointer);
  if (Array.isArray(parent)) {
    const index = last === "-" ? parent.length : Number(last);
    if (!Number.isInteger(index) || index < 0 || index > parent.length) throw new Error(`nothing at ${pointer}`);
    parent.splice(index, insert ? 0 : 1, value);
  } else if (parent !== null && typeof parent === "object") {
    Object.defineProperty(parent, last, { value, writable: true, enumerable: true, configurable: true });
  } else {
    throw new Error(`nothing at ${pointer}`);
  }
  return document;
}

/**
 * @param {any} document
 * @param {string} pointer
 */
function take(document, pointer) {
  const value = read(document, pointer);
  if (pointer === "") return { document: null, value };
  const { parent, last } = holder(document, pointer);
  if (Array.isArray(parent)) parent.splice(Number(last), 1);
  else delete parent[last];
  return { document, value };
}

/**
 * Whether two JSON values are equal, as `test` means it.
 * @param {any} one
 * @param {any} other
 * @returns {boolean}
 */
export function same(one, other) {
  if (one === other) return true;
  if (one === null || other === null || typeof one !== "object" || typeof other !== "object") return false;
  if (Array.isArray(one) !== Array.isArray(other)) return false;
  const keys = Object.keys(one);
  return keys.length === Object.keys(other).length && keys.every((key) => Object.hasOwn(other, key) && same(one[key], other[key]));
}
