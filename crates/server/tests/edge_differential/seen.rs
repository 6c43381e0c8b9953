//! What anybody can say of the bytes of one connection.

/// What came out, in order, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub said: Vec<Said>,
    pub end: End,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    Text(Vec<u8>),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong,
}

/// How it stands when the bytes are over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// More may come.
    Open,
    /// The client has closed.
    Closed(Option<u16>),
    /// The bytes were refused.
    Refused(Fault),
}

/// Why, as far as close codes tell it apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// 1002.
    Frames,
    /// 1007; the edge's 4002.
    Utf8,
    /// 1009; the edge's 4002.
    Size,
    /// The edge's 4002 alone: binary messages are sound WebSocket.
    Binary,
    /// 1007; the edge's 4002: a deflated message that is none.
    Inflate,
}
