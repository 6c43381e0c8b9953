//! Discord's error answers.
//!
//! Source: Discord, "Opcodes and Status Codes: JSON Error Codes" and "Reference: Error
//! Messages".

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::world::ChangeError;

/// A refused call: its status, Discord's own code, and what it says.
#[derive(Debug, Clone)]
pub(super) struct ApiError {
    status: StatusCode,
    code: u32,
    message: &'static str,
    /// What is wrong with which field.
    fields: Option<Map<String, Value>>,
}

macro_rules! errors {
    ($($name:ident = $status:ident $code:literal $message:literal;)+) => {
        impl ApiError {
            $(pub(super) const $name: ApiError = ApiError {
                status: StatusCode::$status, code: $code, message: $message, fields: None,
            };)+
        }
    };
}

errors! {
    NOT_FOUND = NOT_FOUND 0 "404: Not Found";
    METHOD_NOT_ALLOWED = METHOD_NOT_ALLOWED 0 "405: Method Not Allowed";
    UNAUTHORIZED = UNAUTHORIZED 0 "401: Unauthorized";
    UNKNOWN_CHANNEL = NOT_FOUND 10_003 "Unknown Channel";
    UNKNOWN_GUILD = NOT_FOUND 10_004 "Unknown Guild";
    UNKNOWN_INVITE = NOT_FOUND 10_006 "Unknown Invite";
    UNKNOWN_MEMBER = NOT_FOUND 10_007 "Unknown Member";
    UNKNOWN_ROLE = NOT_FOUND 10_011 "Unknown Role";
    UNKNOWN_USER = NOT_FOUND 10_013 "Unknown User";
    UNKNOWN_EMOJI = NOT_FOUND 10_014 "Unknown Emoji";
    UNKNOWN_BAN = NOT_FOUND 10_026 "Unknown Ban";
    USER_BANNED = FORBIDDEN 40_007 "The user is banned from this guild";
    MISSING_ACCESS = FORBIDDEN 50_001 "Missing Access";
    MISSING_PERMISSIONS = FORBIDDEN 50_013 "Missing Permissions";
    INVALID_ROLE = BAD_REQUEST 50_028 "Invalid Role";
    INVALID_FORM = BAD_REQUEST 50_035 "Invalid Form Body";
    INVALID_JSON = BAD_REQUEST 50_109 "The request body contains invalid JSON.";
    TAKEN = BAD_REQUEST 50_020 "Invite code is either invalid or taken";
}

impl ApiError {
    /// A body whose `fields` are wrong.
    pub(super) fn invalid_form(fields: Map<String, Value>) -> ApiError {
        ApiError {
            fields: Some(fields),
            ..ApiError::INVALID_FORM
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut body = json!({ "message": self.message, "code": self.code });
        if let Some(fields) = self.fields {
            body["errors"] = Value::Object(fields);
        }
        (self.status, Json(body)).into_response()
    }
}

impl From<ChangeError> for ApiError {
    fn from(error: ChangeError) -> ApiError {
        match error {
            ChangeError::UnknownGuild(_) => ApiError::UNKNOWN_GUILD,
            ChangeError::UnknownMember { .. } => ApiError::UNKNOWN_MEMBER,
            ChangeError::UnknownRole { .. } => ApiError::UNKNOWN_ROLE,
            ChangeError::UnknownEmoji(_) => ApiError::UNKNOWN_EMOJI,
            ChangeError::UnknownChannel(_) => ApiError::UNKNOWN_CHANNEL,
            ChangeError::UnknownInvite(_) => ApiError::UNKNOWN_INVITE,
            ChangeError::UnknownBan(_) => ApiError::UNKNOWN_BAN,
            ChangeError::Banned(_) => ApiError::USER_BANNED,
            ChangeError::Everyone => ApiError::INVALID_ROLE,
            ChangeError::Owner(_) => ApiError::MISSING_PERMISSIONS,
            ChangeError::CodeTaken(_) => ApiError::TAKEN,
            ChangeError::GuildExists(_) => ApiError::INVALID_FORM,
        }
    }
}
