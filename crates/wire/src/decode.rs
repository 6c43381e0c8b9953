//! What clients send: opcodes 1, 4 and 6 (or 7), decoded.

use guildgate_model::{
    ApplicationId, Decision, GuildId, NotificationId, Secret, SubmissionStatus, UserId,
};
use serde_json::{Map, Value};

use crate::{CloseCode, CommandName, NOTIFICATION_IDS_MAX, Opcode, Sender, Sequence, SessionId};

/// A client's mark on a command, echoed in its answer: at most 64 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nonce(Box<str>);

impl Nonce {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where a client wants to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResumeFrom {
    /// The session; none if what was sent is no session's name.
    pub session: Option<SessionId>,
    /// The last sequence it has seen.
    pub sequence: Sequence,
}

/// One decoded client frame.
#[derive(Debug, Clone, PartialEq)]
pub enum ClientFrame {
    /// Opcode 1.
    Authenticate {
        /// A token, or none for basic access.
        token: Option<Secret>,
        /// The user the client says it is.
        user: Option<UserId>,
        /// The session to go on with.
        resume: Option<ResumeFrom>,
    },
    /// Opcode 4, with the last sequence seen if the client says it.
    HeartbeatReply(Option<Sequence>),
    /// Opcode 6, or 7 with a `cmd`.
    Command {
        /// Its name as sent, for the answer.
        name: Box<str>,
        /// The client's mark.
        nonce: Option<Nonce>,
        /// What is wanted, or which field of `d` is bad; none if there is no such command.
        command: Option<Result<Command, BadField>>,
    },
}

/// A field of a command's `d` that is missing or of the wrong type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{field}: expected {expected}")]
pub struct BadField {
    /// Which.
    pub field: &'static str,
    /// What it should have been.
    pub expected: &'static str,
}

/// A command, its fields checked for type.
///
/// Source: wire protocol, "Commands".
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// CONNECT_GUILD.
    ConnectGuild {
        /// A token of kind gatewayGuild.
        token: Secret,
        /// The guild.
        guild: GuildId,
    },
    /// DESCONNECT_GUILD, or DISCONNECT_GUILD.
    DisconnectGuild {
        /// The guild.
        guild: GuildId,
    },
    /// NOTIFICATIONS_ACK.
    NotificationsAck {
        /// Which notifications were seen.
        ids: Vec<NotificationId>,
    },
    /// The commands of live application sessions.
    Application(ApplicationCommand),
}

/// A command of the application's life.
#[derive(Debug, Clone, PartialEq)]
pub enum ApplicationCommand {
    /// APPLICATION_SESSION.
    Start {
        /// Who says they are starting it.
        user: UserId,
        /// The guild.
        guild: GuildId,
        /// `utokh`: a token of kind user.
        user_token: Secret,
        /// `uhash`: a token of kind gatewayUser.
        gateway_token: Secret,
        /// Whether the user's own answers are edited, not the form.
        answers: bool,
    },
    /// APPLICATION_SESSION_PATCH.
    Patch {
        /// The guild.
        guild: GuildId,
        /// The version that the patch was made against.
        base: u64,
        /// An RFC 6902 list, not yet checked.
        patch: Value,
    },
    /// APPLICATION_SESSION_REAUTH.
    Reauth {
        /// The guild, where the client says it.
        guild: Option<GuildId>,
        /// `utokh`.
        user_token: Secret,
        /// `uhash`.
        gateway_token: Secret,
        /// `pm`: the permissions that the client last knew, as sent.
        known_permissions: Box<str>,
    },
    /// APPLICATION_SESSION_HB_M.
    Heartbeat {
        /// The guild, where the client says it.
        guild: Option<GuildId>,
    },
    /// APPLICATION_SESSION_END.
    End {
        /// The guild.
        guild: GuildId,
    },
    /// APPLICATION_SUBMIT.
    Submit {
        /// The guild.
        guild: GuildId,
        /// The answers, not yet checked.
        answers: Value,
        /// The form's version that they answer.
        revision: u64,
    },
    /// APPLICATION_REVIEW.
    Review {
        /// The guild.
        guild: GuildId,
        /// Which application.
        application: ApplicationId,
        /// What was decided.
        decision: Decision,
        /// What to tell the applicant.
        note: Option<Box<str>>,
        /// The status that the reviewer saw, if they say so.
        expected: Option<SubmissionStatus>,
    },
}

/// Decodes one text frame.
///
/// # Errors
/// [`CloseCode::NotDecodable`] for bad JSON, anything but an object, or a field that is missing
/// or of the wrong type outside a command's `d`; [`CloseCode::UnknownOpcode`] for an opcode that
/// is unknown or only the server's; [`CloseCode::AuthenticationFailed`] for a `uid` that is
/// nobody's id. What is wrong inside a command's `d` refuses the command, not the frame.
///
/// Source: wire protocol, "Transport", "Opcodes", "Authentication", "Close codes".
pub fn decode(text: &str, nonce_bytes_max: usize) -> Result<ClientFrame, CloseCode> {
    let Ok(Value::Object(mut frame)) = serde_json::from_str::<Value>(text) else {
        return Err(CloseCode::NotDecodable);
    };
    let number = frame
        .get("op")
        .and_then(Value::as_u64)
        .ok_or(CloseCode::NotDecodable)?;
    let opcode = Opcode::from_number(number).ok_or(CloseCode::UnknownOpcode)?;
    let data = frame.remove("d").unwrap_or(Value::Null);
    match opcode {
        Opcode::Authenticate => authenticate(data),
        Opcode::HeartbeatReply => match data {
            Value::Null => Ok(ClientFrame::HeartbeatReply(None)),
            data => match data.as_u64() {
                Some(number) => Ok(ClientFrame::HeartbeatReply(Some(Sequence(number)))),
                None => Err(CloseCode::NotDecodable),
            },
        },
        Opcode::Command => command(frame, data, nonce_bytes_max),
        Opcode::CommandResponse if frame.contains_key("cmd") => {
            command(frame, data, nonce_bytes_max)
        }
        Opcode::RequestAuth
        | Opcode::Authenticated
        | Opcode::Heartbeat
        | Opcode::Event
        | Opcode::CommandResponse => {
            debug_assert_ne!(opcode.sender(), Sender::Client);
            Err(CloseCode::UnknownOpcode)
        }
    }
}

fn authenticate(data: Value) -> Result<ClientFrame, CloseCode> {
    let Value::Object(mut data) = data else {
        return Err(CloseCode::NotDecodable);
    };
    let token = match data.remove("token") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(Secret::new(text)),
        Some(_) => return Err(CloseCode::NotDecodable),
    };
    let user = match data.remove("uid") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => {
            Some(text.parse().map_err(|_| CloseCode::AuthenticationFailed)?)
        }
        Some(_) => return Err(CloseCode::NotDecodable),
    };
    let resume = match data.remove("resume") {
        None | Some(Value::Null) => None,
        Some(Value::Object(resume)) => Some(ResumeFrom {
            session: match resume.get("session_id") {
                Some(Value::String(text)) => text.parse().ok(),
                _ => return Err(CloseCode::NotDecodable),
            },
            sequence: match resume.get("seq").and_then(Value::as_u64) {
                Some(number) => Sequence(number),
                None => return Err(CloseCode::NotDecodable),
            },
        }),
        Some(_) => return Err(CloseCode::NotDecodable),
    };
    Ok(ClientFrame::Authenticate {
        token,
        user,
        resume,
    })
}

fn command(
    mut frame: Map<String, Value>,
    data: Value,
    nonce_bytes_max: usize,
) -> Result<ClientFrame, CloseCode> {
    let Some(Value::String(name)) = frame.remove("cmd") else {
        return Err(CloseCode::NotDecodable);
    };
    let nonce = match frame.remove("nonce") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) if text.len() <= nonce_bytes_max => Some(Nonce(text.into())),
        Some(_) => return Err(CloseCode::NotDecodable),
    };
    let command = command_of(&name, data);
    Ok(ClientFrame::Command {
        name: name.into(),
        nonce,
        command,
    })
}

fn command_of(name: &str, data: Value) -> Option<Result<Command, BadField>> {
    let fields = Fields::of(data);
    let application =
        |command: Result<ApplicationCommand, BadField>| command.map(Command::Application);
    Some(match CommandName::of(name)? {
        CommandName::ConnectGuild => connect_guild(fields),
        CommandName::DisconnectGuild => fields
            .guild()
            .map(|guild| Command::DisconnectGuild { guild }),
        CommandName::NotificationsAck => notifications_ack(fields),
        CommandName::ApplicationSession => application(start(fields)),
        CommandName::ApplicationSessionPatch => application(patch(fields)),
        CommandName::ApplicationSessionReauth => application(reauth(fields)),
        CommandName::ApplicationSessionHbM => application(
            fields
                .optional_guild()
                .map(|guild| ApplicationCommand::Heartbeat { guild }),
        ),
        CommandName::ApplicationSessionEnd => application(
            fields
                .guild()
                .map(|guild| ApplicationCommand::End { guild }),
        ),
        CommandName::ApplicationSubmit => application(submit(fields)),
        CommandName::ApplicationReview => application(review(fields)),
    })
}

fn connect_guild(mut fields: Fields) -> Result<Command, BadField> {
    Ok(Command::ConnectGuild {
        guild: fields.guild()?,
        token: fields.secret("token")?,
    })
}

fn notifications_ack(mut fields: Fields) -> Result<Command, BadField> {
    const BAD: BadField = BadField {
        field: "ids",
        expected: "an array of at most 256 ids as strings",
    };
    let Some(Value::Array(ids)) = fields.take("ids") else {
        return Err(BAD);
    };
    if ids.len() > NOTIFICATION_IDS_MAX {
        return Err(BAD);
    }
    let ids = ids
        .iter()
        .map(|id| id.as_str().and_then(|text| text.parse().ok()).ok_or(BAD))
        .collect::<Result<_, _>>()?;
    Ok(Command::NotificationsAck { ids })
}

fn start(mut fields: Fields) -> Result<ApplicationCommand, BadField> {
    Ok(ApplicationCommand::Start {
        user: fields.id("uid")?,
        guild: fields.guild()?,
        user_token: fields.secret("utokh")?,
        gateway_token: fields.secret("uhash")?,
        answers: match fields.take("target") {
            None | Some(Value::Null) => false,
            Some(Value::String(target)) if target == "form" => false,
            Some(Value::String(target)) if target == "answers" => true,
            Some(_) => {
                return Err(BadField {
                    field: "target",
                    expected: "\"form\" or \"answers\"",
                });
            }
        },
    })
}

fn patch(mut fields: Fields) -> Result<ApplicationCommand, BadField> {
    Ok(ApplicationCommand::Patch {
        guild: fields.guild()?,
        base: fields.number("base")?,
        patch: match fields.take("patch") {
            Some(patch @ Value::Array(_)) => patch,
            _ => {
                return Err(BadField {
                    field: "patch",
                    expected: "an RFC 6902 list",
                });
            }
        },
    })
}

fn reauth(mut fields: Fields) -> Result<ApplicationCommand, BadField> {
    Ok(ApplicationCommand::Reauth {
        guild: fields.optional_guild()?,
        user_token: fields.secret("utokh")?,
        gateway_token: fields.secret("uhash")?,
        known_permissions: match fields.take("pm") {
            Some(Value::String(text)) => text.into(),
            _ => {
                return Err(BadField {
                    field: "pm",
                    expected: "permissions as a decimal string",
                });
            }
        },
    })
}

fn submit(mut fields: Fields) -> Result<ApplicationCommand, BadField> {
    Ok(ApplicationCommand::Submit {
        guild: fields.guild()?,
        revision: fields.number("apv")?,
        answers: match fields.take("answers") {
            Some(answers @ Value::Object(_)) => answers,
            _ => {
                return Err(BadField {
                    field: "answers",
                    expected: "an object",
                });
            }
        },
    })
}

fn review(mut fields: Fields) -> Result<ApplicationCommand, BadField> {
    let expected = "0 (accepted), 1 (denied) or 2 (on hold)";
    let bad = BadField {
        field: "proccessed_type",
        expected,
    };
    Ok(ApplicationCommand::Review {
        guild: fields.guild()?,
        application: fields.id("id")?,
        decision: u8::try_from(fields.number("proccessed_type")?)
            .ok()
            .and_then(|number| Decision::try_from(number).ok())
            .ok_or(bad)?,
        note: match fields.take("note") {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text.into()),
            Some(_) => {
                return Err(BadField {
                    field: "note",
                    expected: "a string or null",
                });
            }
        },
        expected: match fields.take("expected") {
            None | Some(Value::Null) => None,
            Some(status) => Some(serde_json::from_value(status).map_err(|_| BadField {
                field: "expected",
                expected: "pending, on_hold, accepted, denied or withdrawn",
            })?),
        },
    })
}

/// The fields of a command's `d`.
struct Fields(Map<String, Value>);

impl Fields {
    /// Anything but an object has no fields, so that the first one asked for is missing.
    fn of(data: Value) -> Fields {
        match data {
            Value::Object(fields) => Fields(fields),
            _ => Fields(Map::new()),
        }
    }

    fn take(&mut self, field: &str) -> Option<Value> {
        self.0.remove(field)
    }

    fn id<T: std::str::FromStr>(&mut self, field: &'static str) -> Result<T, BadField> {
        match self.take(field) {
            Some(Value::String(text)) => text.parse().ok(),
            _ => None,
        }
        .ok_or(BadField {
            field,
            expected: "an id as a string",
        })
    }

    fn guild(&self) -> Result<GuildId, BadField> {
        self.optional_guild()?.ok_or(BadField {
            field: "gid",
            expected: "an id as a string",
        })
    }

    fn optional_guild(&self) -> Result<Option<GuildId>, BadField> {
        match self.0.get("gid") {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => text.parse().map(Some).ok().ok_or(BadField {
                field: "gid",
                expected: "an id as a string",
            }),
            Some(_) => Err(BadField {
                field: "gid",
                expected: "an id as a string",
            }),
        }
    }

    fn secret(&mut self, field: &'static str) -> Result<Secret, BadField> {
        match self.take(field) {
            Some(Value::String(text)) => Ok(Secret::new(text)),
            _ => Err(BadField {
                field,
                expected: "a token as a string",
            }),
        }
    }

    fn number(&mut self, field: &'static str) -> Result<u64, BadField> {
        self.take(field)
            .as_ref()
            .and_then(Value::as_u64)
            .ok_or(BadField {
                field,
                expected: "an unsigned number",
            })
    }
}
