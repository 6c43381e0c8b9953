// @ts-check
/**
 * The page that shows a guild live, over the public protocol and nothing else.
 *
 * Where `/demo.json` is served, it offers the demo's accounts; elsewhere one types tokens.
 */
import { Guildgate } from "../sdk/js/guildgate.js";
import { element, find } from "./dom.js";
import { APPLY } from "./apply.js";
import { EDITOR } from "./editor.js";
import { showLive } from "./live.js";
import { STRONG, managesGuild, names } from "./permissions.js";
import { showReviews } from "./reviews.js";
import { closedFor, guildRefused } from "./words.js";

/**
 * @typedef {object} Demo what the demo serves at `/demo.json`
 * @property {{ id: string, name: string, token: string }[]} guilds
 * @property {{ uid: string, tag: string, about: string, token: string, user_token: string }[]} accounts
 */

/** @typedef {{ token: string | null, uid: string | null, userToken: string, gid: string, guildToken: string }} Choice */

const COUNTS_SHOWN = 120;
const FRAMES_SHOWN = 200;

/** @type {Guildgate | null} */
let gateway = null;
/** @type {WebSocket | null} */
let lastSocket = null;
/** The guild as last told, merged over by every newer telling. @type {any} */
let guild = null;
/** @type {number[]} */
let counts = [];

class WatchedSocket extends WebSocket {
  /** @param {string | URL} url */
  constructor(url) {
    super(url);
    lastSocket = this;
  }
}

async function start() {
  /** @type {Demo | null} */
  const demo = await fetch("/demo.json").then((answer) => (answer.ok ? answer.json() : null), () => null);
  offer(demo);
  find("#who").addEventListener("submit", (event) => {
    event.preventDefault();
    connect(chosen(demo));
  });
  find("#drop").addEventListener("click", () => lastSocket?.close(4999, "dropped by hand"));
  if (demo) connect(chosen(demo));
}

/** @param {Demo | null} demo */
function offer(demo) {
  const accounts = demo?.accounts ?? [];
  find("#account").replaceChildren(
    ...accounts.map(({ uid, tag, about }) => element("option", { value: uid }, `${tag} – ${about}`)),
    element("option", { value: "" }, "nobody (basic access)"),
    element("option", { value: "by-hand" }, "the tokens below"),
  );
  find("#guild-choice").replaceChildren(
    ...(demo?.guilds ?? []).map(({ id, name }) => element("option", { value: id }, name)),
    element("option", { value: "by-hand" }, "the guild below"),
  );
  if (!demo) find("#by-hand").setAttribute("open", "");
}

/**
 * @param {Demo | null} demo
 * @returns {Choice}
 */
function chosen(demo) {
  const value = (/** @type {string} */ id) => /** @type {HTMLInputElement} */ (find(id)).value;
  const account = demo?.accounts.find(({ uid }) => uid === value("#account"));
  const where = demo?.guilds.find(({ id }) => id === value("#guild-choice"));
  const byHand = value("#account") === "by-hand";
  return {
    token: account?.token ?? (byHand ? value("#token") || null : null),
    uid: account?.uid ?? (byHand ? value("#uid") || null : null),
    userToken: account?.user_token ?? value("#user-token"),
    gid: where?.id ?? value("#gid"),
    guildToken: where?.token ?? value("#guild-token"),
  };
}

/** @param {Choice} choice */
async function connect(choice) {
  gateway?.close();
  reset();
  const mine = new Guildgate({ token: choice.token, uid: choice.uid, WebSocket: WatchedSocket });
  gateway = mine;
  mine.on("frame", (frame) => log("in", frame));
  mine.on("authenticated", ({ resumed }) => link("live", resumed ? "connected, resumed" : "connected"));
  mine.on("notification", (notification) => notify(notification, mine));
  mine.on("closed", ({ code, reason, final }) => {
    if (mine !== gateway) return;
    link(final ? "closed" : "waiting", `${final ? "closed" : "reconnecting"}: ${code} ${reason}`);
    if (final) trouble(closedFor({ code, reason }));
  });
  mine.on("error", (error) => {
    if (mine !== gateway) return;
    link("waiting", "connected, but not to the guild");
    badge("old", "stale");
    trouble(guildRefused(error));
  });
  mine.on("guild", (data) => {
    link("live", "connected");
    find("#trouble").hidden = true;
    showGuild(data.guild);
    showUser(data.user);
  });
  mine.on("GUILD_MEMBER_COUNT_CHANGE", ({ member_count }) => showGuild({ member_count }));
  mine.on("GUILD_UPDATE", (data) => showGuild(data.guild));
  mine.on("GUILD_RESYNC", (data) => {
    showGuild(data.guild);
    showUser(data.user);
  });
  mine.on("GUILD_UNAVAILABLE", ({ left }) => badge(left ? "left" : "unavailable", "stale"));
  mine.on("GUILD_PRIVILEGE_UPDATE", (data) => showUser(data));
  find("#drop").removeAttribute("disabled");
  try {
    await mine.open();
    if (!choice.gid) return;
    const { user } = await mine.connectGuild(choice.gid, choice.guildToken);
    if (user && choice.userToken && mine === gateway) showApplications(mine, choice, user);
  } catch (error) {
    // Why it was closed for good has been said.
    if (mine === gateway && mine.isOpen) trouble(String(error instanceof Error ? error.message : error));
  }
}

/**
 * @param {Guildgate} mine
 * @param {Choice} choice
 * @param {{ id: string, permissions: string }} user
 */
function showApplications(mine, choice, user) {
  const access = { uid: user.id, gid: choice.gid, utokh: choice.userToken, uhash: choice.token ?? "" };
  find("#applications").hidden = false;
  const manager = managesGuild(user.permissions);
  find("#editor").hidden = find("#reviews").hidden = !manager;
  if (manager) {
    showLive(find("#editor"), EDITOR, mine, access);
    showReviews(find("#reviews"), mine, choice.gid, user.id);
  }
  showLive(find("#apply"), APPLY, mine, access);
}

function reset() {
  find("#applications").hidden = true;
  guild = null;
  counts = [];
  find("#trouble").hidden = true;
  find("#count").textContent = "–";
  emptyInbox();
  showUser(null);
  link("waiting", "connecting");
}

/** @param {any} news */
function showGuild(news) {
  guild = { ...guild, ...news };
  find("#guild-name").textContent = guild.name ?? "";
  const count = find("#count");
  if (count.textContent !== String(guild.member_count)) {
    count.textContent = String(guild.member_count);
    blink(count);
  }
  counts = [...counts, guild.member_count].slice(-COUNTS_SHOWN);
  spark();
  badge(guild.freshness, guild.freshness);
  const facts = {
    Id: guild.id,
    Owner: guild.owner_id,
    Description: guild.description,
    "Boost level": guild.premium_tier,
    Verification: guild.verification_level,
    "Vanity URL": guild.vanity_url_code,
    "Invite valid": guild.current_invite_valid ? "yes" : "no",
  };
  find("#facts").replaceChildren(
    ...Object.entries(facts)
      .filter(([, value]) => value !== null && value !== undefined)
      .flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, String(value))]),
  );
  find("#emojis").textContent = (guild.emojis ?? [])
    .map((/** @type {{ name: string }} */ emoji) => `:${emoji.name}:`)
    .join(" ");
}

/** @param {{ tag: string, id: string, permissions: string } | null} user */
function showUser(user) {
  const shown = find("#permissions");
  const before = shown.textContent;
  shown.textContent = user?.permissions ?? "–";
  if (before !== shown.textContent) blink(shown);
  find("#user-tag").textContent = user
    ? `${user.tag} (${user.id})`
    : "Nobody here: a basic connection, or not a member.";
  find("#flags").replaceChildren(
    ...names(user?.permissions ?? "0").map((name) =>
      element("li", STRONG.has(name) ? { class: "strong" } : {}, name),
    ),
  );
}

function emptyInbox() {
  find("#inbox").replaceChildren(element("li", { class: "empty" }, "None."));
}

/**
 * @param {any} notification
 * @param {Guildgate} from
 */
function notify(notification, from) {
  const inbox = find("#inbox");
  inbox.querySelector(".empty")?.remove();
  const what = ["accepted", "denied", "put on hold"][notification.proccessed_type] ?? "reviewed";
  const note = notification.note ? `: “${notification.note}”` : "";
  const item = element("li", { "data-id": notification.id }, `Your application was ${what}${note} `);
  const seen = element("button", { class: "plain", type: "button" }, "Seen");
  seen.addEventListener("click", async () => {
    try {
      await from.acknowledge([notification.id]);
    } catch (error) {
      return trouble(`It could not be marked as seen: ${/** @type {Error} */ (error).message}. Try again.`);
    }
    item.remove();
    if (!inbox.firstElementChild) emptyInbox();
    find("#inbox-title").focus();
  });
  item.append(seen);
  inbox.prepend(item);
}

function spark() {
  const low = Math.min(...counts);
  const span = Math.max(...counts) - low || 1;
  // One count alone is a level line.
  const drawn = counts.length === 1 ? [...counts, ...counts] : counts;
  const points = drawn.map((count, index) => {
    const x = (index / (drawn.length - 1)) * 300;
    return `${x.toFixed(1)},${(37 - ((count - low) / span) * 34).toFixed(1)}`;
  });
  find("#spark polyline").setAttribute("points", points.join(" "));
}

/**
 * @param {string} text
 * @param {string} freshness
 */
function badge(text, freshness) {
  const shown = find("#freshness");
  shown.hidden = false;
  shown.textContent = text;
  shown.dataset.freshness = freshness;
}

/**
 * @param {string} state
 * @param {string} text
 */
function link(state, text) {
  const shown = find("#link");
  shown.dataset.state = state;
  shown.textContent = text;
}

/** @param {string} text */
function trouble(text) {
  const shown = find("#trouble");
  shown.hidden = false;
  shown.textContent = text;
}

/** @param {HTMLElement} shown */
function blink(shown) {
  shown.classList.remove("moved");
  void shown.offsetWidth; // Restarts the animation.
  shown.classList.add("moved");
}

/**
 * @param {string} way
 * @param {any} frame
 */
function log(way, frame) {
  const frames = find("#frames");
  frames.prepend(element("li", { "data-way": way }, JSON.stringify(frame)));
  while (frames.childElementCount > FRAMES_SHOWN) frames.lastElementChild?.remove();
}

start();
