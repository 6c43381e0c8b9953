"""A discord.py bot that says what it sees, one JSON object a line, for the simulator's tests.

SIMULATOR_URL is the simulator's address, such as http://127.0.0.1:7103.
"""

import asyncio
import json
import os
import sys

import discord
import yarl

HOST = os.environ["SIMULATOR_URL"]
# The two places that lead it to another host: REST, and the first gateway URL.
discord.http.Route.BASE = f"{HOST}/api/v10"
discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(HOST.replace("http", "ws", 1) + "/")


def say(event, **details):
    print(json.dumps({"event": event, **details}), flush=True)


class Bot(discord.Client):
    async def on_ready(self):
        guilds = [{"name": guild.name, "members": guild.member_count} for guild in self.guilds]
        say("ready", user=self.user.name, guilds=guilds)
        guild = discord.utils.get(self.guilds, name="Rustaceans' Rest")
        say("members", count=len(guild.members))
        role = discord.utils.get(guild.roles, name="Regular")
        await discord.utils.get(guild.members, name="ada").add_roles(role)
        say("role-added", roles=len(guild.roles))

    async def on_guild_role_update(self, before, after):
        say("role-update", name=after.name)

    async def on_member_join(self, member):
        say("join", id=str(member.id), count=member.guild.member_count)

    async def on_member_update(self, before, after):
        say("member-update", user=after.name, roles=[role.name for role in after.roles])

    async def on_resumed(self):
        say("resumed")

    async def on_error(self, name, *_):
        say("error", message=repr(sys.exc_info()[1]))


async def main():
    intents = discord.Intents.none()
    intents.guilds = intents.members = intents.invites = intents.expressions = True
    bot = Bot(intents=intents)
    running = asyncio.create_task(bot.start("simulator"))
    # It ends when its input does.
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await bot.close()
    await running


asyncio.run(main())
