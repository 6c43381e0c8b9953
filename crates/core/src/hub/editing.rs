//! Live application sessions in the hub: which client edits where, and with what rights.
//!
//! A user who edits keeps their member here, on the guild or not, so that what they may do is
//! known the moment it changes.

use std::collections::BTreeMap;

use guildgate_model::{Grants, GuildId, Now, UserId};
use guildgate_wire::Ends;

use super::{
    Hub,
    guild::Part,
    ports::{Output, Query, Rights, SessionCommand},
    refusal,
};
use crate::{
    ClientId,
    form_session::{self, Caller, Command, SessionsInput, Standing},
};

/// Which clients take part in application sessions, and where.
#[derive(Debug, Default)]
pub(super) struct Editors(BTreeMap<ClientId, Editor>);

#[derive(Debug)]
struct Editor {
    user: UserId,
    guilds: Vec<GuildId>,
}

impl Hub {
    /// A command to a session. One that starts a session waits until it is known how its user
    /// stands; of anybody who has one that is known.
    pub(super) fn on_command(&mut self, now: Now, command: SessionCommand, out: &mut Vec<Output>) {
        let client = command.client;
        self.stop_waiting(now, client, out);
        let starts = matches!(command.command, Command::Start { .. });
        let open = self.sessions.guilds_of(client).next();
        let Some(guild) = command.guild.or(open).filter(|guild| {
            let edits = || self.sessions.guilds_of(client).any(|open| open == *guild);
            starts || edits()
        }) else {
            // It has no session there, whatever its rights: the sessions say so.
            return self.run_command(now, command, nobody(), out);
        };
        if !self.guilds.contains_key(&guild) {
            let result = Err(refusal(guild, self.links.unseen(guild)));
            return out.push(Output::Answer { client, result });
        }
        let place = self.places.entry(client).or_default();
        place.user = Some(command.user);
        place.wants = Some(guild);
        self.at_guild(guild, now, out, |guild, turn| guild.command(command, turn));
    }

    /// It is known how a command's user stands.
    pub(super) fn on_ready(
        &mut self,
        now: Now,
        command: SessionCommand,
        rights: Rights,
        out: &mut Vec<Output>,
    ) {
        let (client, user) = (command.client, command.user);
        let place = self.places.get_mut(&client);
        let guild = place.and_then(|place| place.wants.take());
        self.forget_idle(client);
        self.run_command(now, command, rights, out);
        if let Some(guild) = guild {
            self.at_guild(guild, now, out, |guild, turn| {
                guild.forget_idle(Some(user), turn);
            });
        }
    }

    pub(super) fn on_rights_wanted(
        &mut self,
        now: Now,
        query: Query,
        guild: GuildId,
        user: UserId,
        out: &mut Vec<Output>,
    ) {
        if self.guilds.contains_key(&guild) {
            self.at_guild(guild, now, out, |guild, turn| {
                guild.rights_wanted(query, user, turn);
            });
        } else {
            let result = Err(refusal(guild, self.links.unseen(guild)));
            out.push(Output::Rights { query, result });
        }
    }

    /// Hands something to the sessions, and what they want done on.
    pub(super) fn feed_sessions(&mut self, now: Now, input: SessionsInput, out: &mut Vec<Output>) {
        let mut concerned = match &input {
            SessionsInput::Closed(client) => vec![*client],
            SessionsInput::Command { .. }
            | SessionsInput::Detached(_)
            | SessionsInput::Attached(_)
            | SessionsInput::Standing { .. }
            | SessionsInput::TokenRevoked(_)
            | SessionsInput::GuildGone(_)
            | SessionsInput::Changed { .. }
            | SessionsInput::FormPublished { .. }
            | SessionsInput::Submitted { .. }
            | SessionsInput::Reply { .. }
            | SessionsInput::Deadline => Vec::new(),
        };
        let mut wanted = Vec::new();
        self.sessions.handle(now, input, &mut wanted);
        for output in wanted {
            out.push(match output {
                form_session::Output::Answer { client, result } => {
                    concerned.push(client);
                    Output::Answer { client, result }
                }
                form_session::Output::Event { client, event } => {
                    if matches!(event.ends(), Ends::ApplicationSession(_)) {
                        concerned.push(client);
                    }
                    Output::ToClient { client, event }
                }
                form_session::Output::Ask { key, ticket, ask } => {
                    Output::AskSession { key, ticket, ask }
                }
            });
        }
        for client in concerned {
            self.note_editor(now, client, out);
        }
    }

    fn run_command(
        &mut self,
        now: Now,
        command: SessionCommand,
        rights: Rights,
        out: &mut Vec<Output>,
    ) {
        let (client, user) = (command.client, command.user);
        self.editors.0.entry(client).or_insert(Editor {
            user,
            guilds: Vec::new(),
        });
        let input = SessionsInput::Command {
            guild: command.guild,
            target: command.target,
            caller: Caller {
                client,
                user,
                tag: rights.tag,
                standing: rights.standing,
                grants: rights.grants,
            },
            command: command.command,
        };
        self.feed_sessions(now, input, out);
        self.note_editor(now, client, out);
    }

    /// Tells guilds that a client takes part in a session there, or no longer does.
    fn note_editor(&mut self, now: Now, client: ClientId, out: &mut Vec<Output>) {
        let Some(editor) = self.editors.0.get_mut(&client) else {
            return;
        };
        let user = editor.user;
        let guilds: Vec<GuildId> = self.sessions.guilds_of(client).collect();
        // A copy is as long as it needs to be, unlike what was collected.
        let before = std::mem::replace(&mut editor.guilds, guilds.clone());
        if guilds.is_empty() {
            self.editors.0.remove(&client);
        }
        for &guild in guilds.iter().filter(|guild| !before.contains(guild)) {
            self.at_guild(guild, now, out, |guild, turn| {
                guild.edits(user, Part::Taken, turn);
            });
        }
        for &guild in before.iter().filter(|guild| !guilds.contains(guild)) {
            self.at_guild(guild, now, out, |guild, turn| {
                guild.edits(user, Part::Given, turn);
            });
        }
    }
}

/// The rights of a caller whose rights do not matter.
fn nobody() -> Rights {
    Rights {
        tag: Box::default(),
        standing: Standing::Outsider,
        grants: Grants::none(),
    }
}
