// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";

import { apply } from "../patch.js";

/**
 * @param {any} document
 * @param {any[]} patch
 * @param {any} expected
 */
function check(document, patch, expected) {
  const before = structuredClone(document);
  assert.deepEqual(apply(document, patch), expected);
  assert.deepEqual(document, before, "the document given is left alone");
}

test("each operation does what RFC 6902 says", () => {
  check({ a: 1 }, [{ op: "add", path: "/b", value: 2 }], { a: 1, b: 2 });
  check([1, 3], [{ op: "add", path: "/1", value: 2 }], [1, 2, 3]);
  check([1], [{ op: "add", path: "/-", value: 2 }], [1, 2]);
  check({ a: [1, 2] }, [{ op: "remove", path: "/a/0" }], { a: [2] });
  check({ a: 1 }, [{ op: "replace", path: "/a", value: null }], { a: null });
  check({ a: { b: 1 }, c: {} }, [{ op: "move", from: "/a/b", path: "/c/d" }], { a: {}, c: { d: 1 } });
  check([1, 2, 3], [{ op: "move", from: "/0", path: "/2" }], [2, 3, 1]);
  check({ a: [1] }, [{ op: "copy", from: "/a", path: "/b" }], { a: [1], b: [1] });
  check({ "a/b": { "m~n": 1 } }, [{ op: "replace", path: "/a~1b/m~0n", value: 2 }], { "a/b": { "m~n": 2 } });
  check({}, [{ op: "add", path: "", value: [] }], []);
});

test("an operation that does not apply changes nothing", () => {
  for (const operation of [
    { op: "replace", path: "/x", value: 1 },
    { op: "remove", path: "/x" },
    { op: "add", path: "/x/y", value: 1 },
    { op: "test", path: "/a", value: { b: 2 } },
    { op: "add", path: "/l/5", value: 1 },
    { op: "shout", path: "/a" },
  ]) {
    const document = { a: { b: 1 }, l: [] };
    assert.throws(() => apply(document, [{ op: "add", path: "/n", value: 1 }, operation]));
    assert.deepEqual(document, { a: { b: 1 }, l: [] });
  }
});

test("a key that JavaScript treats as its own is only data", () => {
  const result = apply({}, [{ op: "add", path: "/__proto__", value: { polluted: true } }]);
  assert.equal(/** @type {any} */ ({}).polluted, undefined);
  assert.ok(Object.hasOwn(result, "__proto__"));
});
