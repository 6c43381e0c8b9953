// A discord.js bot that says what it sees, one JSON object a line, for the simulator's tests.
//
// SIMULATOR_URL is the simulator's address, such as http://127.0.0.1:7103.
'use strict';

const { Client, Events, GatewayIntentBits } = require('discord.js');

const say = (event, details = {}) => console.log(JSON.stringify({ event, ...details }));

const client = new Client({
  intents: [
    GatewayIntentBits.Guilds,
    GatewayIntentBits.GuildMembers,
    GatewayIntentBits.GuildExpressions,
    GatewayIntentBits.GuildInvites,
  ],
  // The one setting that leads it to another host: the gateway's URL comes from there.
  rest: { api: `${process.env.SIMULATOR_URL}/api` },
});

client.once(Events.ClientReady, async (ready) => {
  const guilds = ready.guilds.cache.map((guild) => ({ name: guild.name, members: guild.memberCount }));
  say('ready', { user: ready.user.username, guilds });
  const guild = ready.guilds.cache.find((one) => one.name === "Rustaceans' Rest");
  const members = await guild.members.fetch();
  say('members', { count: members.size });
  const role = guild.roles.cache.find((one) => one.name === 'Regular');
  const ada = members.find((member) => member.user.username === 'ada');
  await ada.roles.add(role);
  say('role-added', { roles: guild.roles.cache.size });
});
client.on(Events.GuildRoleUpdate, (_, role) => say('role-update', { name: role.name }));
client.on(Events.GuildMemberAdd, (member) => say('join', { id: member.id, count: member.guild.memberCount }));
client.on(Events.GuildMemberUpdate, (_, member) => {
  say('member-update', { user: member.user.username, roles: member.roles.cache.map((role) => role.name) });
});
client.on(Events.ShardResume, () => say('resumed'));
client.on(Events.ShardReady, () => say('shard-ready'));
client.on(Events.Error, (error) => say('error', { message: error.message }));
client.on(Events.ShardError, (error) => say('shard-error', { message: error.message }));

process.stdin.on('end', () => client.destroy().then(() => process.exit(0)));
process.stdin.resume();
client.login('simulator');
