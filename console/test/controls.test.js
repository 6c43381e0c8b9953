// @ts-check
/** What the page's controls decide by themselves, without a browser. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { caretAfter } from "../controls.js";
import { SectionNames } from "../sections.js";

test("a cursor stays at the words it stood at while somebody else writes", () => {
  for (const [before, after, want] of [
    ["one |two", "one two three", "one |two three"],
    ["one two|", "zero one two", "zero one two|"],
    ["|one", "one two", "|one two"],
    ["one t|wo three", "one 2 three", "one 2| three"],
    ["aa|a", "aaaa", "aa|aa"],
    ["gone|", "", "|"],
  ]) {
    const at = caretAfter(before.replace("|", ""), after, before.indexOf("|"));
    assert.equal(`${after.slice(0, at)}|${after.slice(at)}`, want, `${before} became ${after}`);
  }
});

/**
 * @param {string} title
 * @param {...string} ids
 */
const section = (title, ...ids) => ({ title, description: "", fields: ids.map((id) => ({ id })) });

test("a section keeps its name where others come, go and change around it", () => {
  const names = new SectionNames();
  const [you, why] = names.of([section("You", "age"), section("Why")]);
  assert.notEqual(you, why);
  const steps = /** @type {[ReturnType<typeof section>[], (string | null)[]][]} */ ([
    [[section("You", "age"), section("Why, then")], [you, why]],
    [[section("New"), section("You", "age"), section("Why, then")], [null, you, why]],
    [[section("You and yours", "age"), section("Why, then")], [you, why]],
    [[section("Why, then", "reason"), section("You", "name", "age")], [why, you]],
    [[section("Because", "reason")], [why]],
  ]);
  for (const [sections, want] of steps) {
    const found = names.of(sections);
    assert.deepEqual(want.map((name, at) => name ?? found[at]), found);
    assert.equal(new Set(found).size, found.length, "no two of a name");
  }
});

test("of two sections that read the same, the one that changes keeps its name", () => {
  const names = new SectionNames();
  const both = names.of([section("New section"), section("New section")]);
  assert.deepEqual(names.of([section("Changed"), section("New section")]), both);
});
