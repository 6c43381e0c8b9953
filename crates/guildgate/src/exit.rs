//! How a command ends, and what the shell is told.

use std::{fmt, process::ExitCode};

use guildgate_server::upstream::UpstreamError;

/// Why a command failed: its exit code, and what a person is told.
#[derive(Debug)]
pub struct Failure {
    code: u8,
    error: anyhow::Error,
}

/// The exit codes. 0 is success, and 2 a command line that is not understood.
///
/// The help of `guildgate` lists them: change [`HELP`] with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// Anything else.
    Other = 1,
    /// The configuration is not valid.
    Configuration = 3,
    /// The database does not answer, or refuses.
    Database = 4,
    /// Discord does not answer a check, or withholds an intent.
    Discord = 5,
    /// The address to listen at cannot be had.
    Listen = 6,
    /// A second signal cut the drain short.
    Interrupted = 7,
    /// A thread that nothing goes on without has ended; started again, all is well.
    Fault = 8,
}

/// The exit codes, for the help.
pub const HELP: &str = "\
Exit codes:
  0  done
  1  something else went wrong
  2  the command line is not understood
  3  the configuration is not valid
  4  the database does not answer, or refuses
  5  Discord does not answer a check, or withholds an intent
  6  the address to listen at cannot be had
  7  a second signal cut the drain short
  8  a part of the gateway ended by a fault of its own: start it again
 64  Discord refuses the token
 65  Discord disallows the intents
 66  Discord does not know the intents
 67  Discord refuses the shard count
 68  the bot is in too many guilds for so few shards
 69  Discord no longer serves this version of its gateway
 70  discord.api_url is no address
 71  TLS cannot be set up";

impl Failure {
    /// A failure of this kind.
    pub fn new(code: Code, error: impl Into<anyhow::Error>) -> Failure {
        Failure {
            code: code as u8,
            error: error.into(),
        }
    }

    /// Discord refuses the bot; each reason has a code of its own.
    pub fn discord(error: UpstreamError) -> Failure {
        Failure {
            code: error.exit_code(),
            error: error.into(),
        }
    }

    /// A failure of no particular kind.
    pub fn other(error: impl Into<anyhow::Error>) -> Failure {
        Failure::new(Code::Other, error)
    }

    /// What the shell is told.
    pub fn code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }
}

impl fmt::Display for Failure {
    /// The error and its causes on one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_in_the_help_and_none_is_given_twice() {
        let own = [
            Code::Other,
            Code::Configuration,
            Code::Database,
            Code::Discord,
            Code::Listen,
            Code::Interrupted,
            Code::Fault,
        ];
        let discord = [
            UpstreamError::TokenRefused,
            UpstreamError::IntentsDisallowed,
            UpstreamError::IntentsInvalid,
            UpstreamError::ShardsRefused,
            UpstreamError::ShardingRequired,
            UpstreamError::ApiVersion,
            UpstreamError::ApiUrl { url: String::new() },
            UpstreamError::Tls {
                reason: String::new(),
            },
        ];
        let success_and_usage = [0, 2];
        let mut codes: Vec<u8> = own.map(|code| code as u8).to_vec();
        codes.extend(discord.map(|error| error.exit_code()));
        codes.extend(success_and_usage);
        codes.sort_unstable();
        let documented: Vec<u8> = HELP
            .lines()
            .filter_map(|line| line.split_whitespace().next()?.parse().ok())
            .collect();
        assert_eq!(documented, codes);
    }
}
