// @ts-check
/** The page in a real browser, against the real binary and its simulator. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { launch, newPage, signIn } from "./browser.js";
import { Demo } from "./demo.js";

/** @type {Demo} */ let demo;
/** @type {import("playwright-core").Browser} */ let browser;

before(async () => {
  demo = await Demo.start();
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await demo?.stop();
});

const signedIn = (/** @type {string} */ uid) => signIn(browser, demo, uid);

/** @param {import("playwright-core").Page} page */
const shownCount = async (page) => Number(await page.textContent("#count"));

test("the page shows a guild's live count", async () => {
  const { guilds, accounts } = await demo.offer();
  const { page, faults } = await signedIn(accounts[0].uid);
  const count = await shownCount(page);
  assert.equal(await page.textContent("#guild-name"), guilds[0].name);
  await demo.discord("PUT", `/guilds/${guilds[0].id}/members/777000000000000001`, { access_token: "x" });
  await page.waitForFunction((want) => document.querySelector("#count")?.textContent === String(want), count + 1);
  await demo.discord("DELETE", `/guilds/${guilds[0].id}/members/777000000000000001`);
  await page.waitForFunction((want) => document.querySelector("#count")?.textContent === String(want), count);
  assert.deepEqual(faults, []);
  await page.close();
});

test("a role taken away moves its holder's permissions, and nobody else's", async () => {
  const { guilds, accounts } = await demo.offer();
  const guild = guilds[0].id;
  const members = await Promise.all(
    accounts.map(async (/** @type {{ uid: string }} */ { uid }) => ({
      uid,
      member: await demo.discord("GET", `/guilds/${guild}/members/${uid}`).catch(() => null),
    })),
  );
  const holder = members.find(({ member }) => member?.roles.length > 0);
  const other = members.find(({ member, uid }) => member && uid !== holder?.uid);
  assert.ok(holder && other, "the demo has two members, one of whom holds a role");
  const own = await signedIn(holder.uid);
  const others = await signedIn(other.uid);
  const before = await own.page.textContent("#permissions");
  const othersBefore = await others.page.textContent("#permissions");

  for (const role of holder.member.roles) {
    await demo.discord("DELETE", `/guilds/${guild}/members/${holder.uid}/roles/${role}`);
  }
  await own.page.waitForFunction((was) => document.querySelector("#permissions")?.textContent !== was, before);
  assert.ok(BigInt((await own.page.textContent("#permissions")) ?? "0") < BigInt(before ?? "0"));

  // What everybody hears comes after it, so the other would have heard by then.
  const count = await shownCount(others.page);
  await demo.discord("PUT", `/guilds/${guild}/members/777000000000000002`, { access_token: "x" });
  await others.page.waitForFunction((want) => document.querySelector("#count")?.textContent === String(want), count + 1);
  assert.equal(await others.page.textContent("#permissions"), othersBefore);
  const frames = await others.page.locator("#frames li").allTextContents();
  assert.ok(!frames.some((frame) => frame.includes("GUILD_PRIVILEGE_UPDATE")));

  for (const role of holder.member.roles) {
    await demo.discord("PUT", `/guilds/${guild}/members/${holder.uid}/roles/${role}`);
  }
  await own.page.waitForFunction((was) => document.querySelector("#permissions")?.textContent === was, before);
  assert.deepEqual([...own.faults, ...others.faults], []);
  await own.page.close();
  await others.page.close();
});

test("a dropped line is resumed, and a notification waits until it is seen", async () => {
  const { guilds, accounts } = await demo.offer();
  const { page } = await signedIn(accounts[0].uid);
  await page.click("#drop");
  await page.waitForFunction(() => document.querySelector("#link")?.textContent === "connected, resumed");
  await demo.api("POST", `/users/${accounts[0].uid}/notifications`, {
    proccessed_type: 0,
    gid: guilds[0].id,
    note: "Welcome aboard",
  });
  await page.waitForSelector("#inbox li[data-id]");
  await page.close();
  const again = await signedIn(accounts[0].uid);
  await again.page.waitForSelector("#inbox li[data-id]");
  await again.page.click("#inbox button");
  await again.page.waitForSelector("#inbox li[data-id]", { state: "detached" });
  assert.equal(await again.page.textContent("#inbox"), "None.");
  await again.page.close();
  const third = await signedIn(accounts[0].uid);
  assert.equal(await third.page.locator("#inbox li[data-id]").count(), 0);
  await third.page.close();
});

test("a token that is not good is said so on the page", async () => {
  const page = await newPage(browser);
  await page.goto(demo.url);
  await page.selectOption("#account", "by-hand");
  await page.click("#by-hand summary");
  await page.fill("#uid", "1");
  await page.fill("#token", "not a token");
  await page.click('#who button[type="submit"]');
  await page.waitForSelector('#link[data-state="closed"]');
  assert.match((await page.textContent("#trouble")) ?? "", /Put in a fresh one and press Connect.*4004/);
  await page.close();
});

test("killed without warning and started again: no token, no notification lost", async () => {
  const { guilds, accounts } = await demo.offer();
  const { page } = await signedIn(accounts[1].uid);
  await page.close();
  await demo.api("POST", `/users/${accounts[1].uid}/notifications`, {
    proccessed_type: 1,
    gid: guilds[0].id,
    note: "Not this time",
  });
  await demo.kill("SIGKILL");
  await demo.restart();
  const socket = await newPage(browser);
  await socket.goto(demo.url);
  const told = await socket.evaluate(async ({ token, uid }) => {
    const { url } = await (await fetch("/api/gateway")).json();
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(url);
      socket.onclose = ({ code }) => reject(new Error(`closed with ${code}`));
      socket.onmessage = ({ data }) => {
        const frame = JSON.parse(data);
        if (frame.op === 0) socket.send(JSON.stringify({ op: 1, d: { token, uid } }));
        if (frame.op === 2) resolve(frame.d.missed_notifications);
      };
    });
  }, accounts[1]);
  assert.ok(/** @type {any[]} */ (told).some(({ note }) => note === "Not this time"));
  await socket.close();
});

test("a guild that cannot be connected again after a reconnect is said so, with what to do", async () => {
  const { guilds, accounts } = await demo.offer();
  const { token } = await demo.api("POST", "/tokens", { kind: "gatewayGuild", for: guilds[0].id, uses: 1 });
  const page = await newPage(browser);
  await page.goto(demo.url);
  await page.waitForSelector('#link[data-state="live"]');
  await page.selectOption("#account", "by-hand");
  await page.selectOption("#guild-choice", "by-hand");
  await page.click("#by-hand summary");
  await page.fill("#uid", accounts[0].uid);
  await page.fill("#token", accounts[0].token);
  await page.fill("#gid", guilds[0].id);
  await page.fill("#guild-token", token);
  await page.click('#who button[type="submit"]');
  await page.waitForFunction(() => /^\d+$/.test(document.querySelector("#count")?.textContent ?? ""));
  await demo.kill("SIGKILL");
  await demo.restart();
  await page.waitForFunction(() => document.querySelector("#link")?.textContent === "connected, but not to the guild");
  assert.match((await page.textContent("#trouble")) ?? "", /Put in a fresh guild token and press Connect/);
  await page.selectOption("#guild-choice", guilds[0].id);
  await page.click('#who button[type="submit"]');
  await page.waitForSelector("#trouble", { state: "hidden" });
  await page.waitForSelector('#link[data-state="live"]');
  await page.close();
});

test("the page is worked by keyboard, and says what it is to a screen reader", async () => {
  const { accounts } = await demo.offer();
  const { page, faults } = await signedIn(accounts[0].uid);
  await page.getByRole("combobox", { name: "As" }).focus();
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement?.id), "guild-choice");
  await page.getByRole("button", { name: "Edit the form" }).focus();
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "Add a section" }).waitFor();
  await page.getByRole("button", { name: "Stop editing" }).focus();
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.activeElement?.id === "edit");
  assert.equal(await page.locator("#sheet > *").count(), 0);
  // The one session of the guild is free for the other use.
  await page.getByRole("button", { name: "Fill in an application" }).focus();
  await page.keyboard.press("Enter");
  await page.waitForSelector("#submit");
  await page.getByRole("button", { name: "Edit the form" }).click();
  await page.waitForFunction(() => /end that session first/.test(document.querySelector("#editor-state")?.textContent ?? ""));
  // Whatever one can act on has a name.
  for (const control of await page.locator("button, input:visible, select:visible, textarea:visible").all()) {
    if (!(await control.isVisible())) continue;
    assert.match(await control.ariaSnapshot(), /"/, await control.evaluate((it) => it.outerHTML));
  }
  assert.deepEqual(faults, []);
  await page.close();
});

test("the page fits a phone", async () => {
  const { accounts } = await demo.offer();
  const { page } = await signedIn(accounts[0].uid);
  await page.setViewportSize({ width: 320, height: 640 });
  await page.click("#edit");
  await page.waitForSelector('#sheet [data-key="add-section"]');
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 320, "nothing to scroll sideways for");
  await page.close();
});

test("the page as it is shown in the README", async () => {
  const { accounts } = await demo.offer();
  const { page } = await signedIn(accounts[0].uid);
  const picture = await page.screenshot({ path: process.env.PAGE_PICTURE, animations: "disabled" });
  assert.ok(picture.length > 10_000, "a picture of something");
  await page.close();
});
