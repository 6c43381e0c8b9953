// @ts-check
/** Names of Discord's permission bits. Source: Discord, "Bitwise Permission Flags". */
const NAMES = [
  "CREATE_INSTANT_INVITE", "KICK_MEMBERS", "BAN_MEMBERS", "ADMINISTRATOR", "MANAGE_CHANNELS",
  "MANAGE_GUILD", "ADD_REACTIONS", "VIEW_AUDIT_LOG", "PRIORITY_SPEAKER", "STREAM", "VIEW_CHANNEL",
  "SEND_MESSAGES", "SEND_TTS_MESSAGES", "MANAGE_MESSAGES", "EMBED_LINKS", "ATTACH_FILES",
  "READ_MESSAGE_HISTORY", "MENTION_EVERYONE", "USE_EXTERNAL_EMOJIS", "VIEW_GUILD_INSIGHTS", "CONNECT",
  "SPEAK", "MUTE_MEMBERS", "DEAFEN_MEMBERS", "MOVE_MEMBERS", "USE_VAD", "CHANGE_NICKNAME",
  "MANAGE_NICKNAMES", "MANAGE_ROLES", "MANAGE_WEBHOOKS", "MANAGE_GUILD_EXPRESSIONS",
  "USE_APPLICATION_COMMANDS", "REQUEST_TO_SPEAK", "MANAGE_EVENTS", "MANAGE_THREADS",
  "CREATE_PUBLIC_THREADS", "CREATE_PRIVATE_THREADS", "USE_EXTERNAL_STICKERS",
  "SEND_MESSAGES_IN_THREADS", "USE_EMBEDDED_ACTIVITIES", "MODERATE_MEMBERS",
  "VIEW_CREATOR_MONETIZATION_ANALYTICS", "USE_SOUNDBOARD", "CREATE_GUILD_EXPRESSIONS",
  "CREATE_EVENTS", "USE_EXTERNAL_SOUNDS", "SEND_VOICE_MESSAGES", "BIT_47", "SET_VOICE_CHANNEL_STATUS",
  "SEND_POLLS", "USE_EXTERNAL_APPS", "PIN_MESSAGES", "BYPASS_SLOWMODE",
];

const ADMINISTRATOR = 1n << 3n;
const MANAGE_GUILD = 1n << 5n;

/** What lets one edit a guild's form and review applications. */
export const STRONG = new Set(["ADMINISTRATOR", "MANAGE_GUILD"]);

/**
 * The names of the bits that are set; more than 53 bits, hence BigInt.
 * @param {string} permissions a decimal string
 * @returns {string[]}
 */
export function names(permissions) {
  const set = BigInt(permissions);
  const found = [];
  for (let bit = 0n; bit < 64n; bit++) {
    if (set & (1n << bit)) found.push(NAMES[Number(bit)] ?? `BIT_${bit}`);
  }
  return found;
}

/**
 * Whether these permissions manage a guild.
 * @param {string} permissions a decimal string
 */
export function managesGuild(permissions) {
  return (BigInt(permissions) & (ADMINISTRATOR | MANAGE_GUILD)) !== 0n;
}
