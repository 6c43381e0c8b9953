//! The servers by name, and where they are.

use std::{
    env, fmt,
    path::{Path, PathBuf},
};

/// A server's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Kind {
    /// A thread in epoll that sends the same bytes to every socket: the floor.
    SendLoop,
    /// This gateway, whole.
    Guildgate,
    /// This gateway's edge alone, told to send as the other servers are; its clients are full
    /// sessions, with numbers of their own and a buffer for their resume.
    Edge,
    /// uWebSockets, the C++ library, publishing to a topic.
    Uwebsockets,
    /// Debian's nginx with nchan.
    Nchan,
    /// The crate tokio-websockets, a task a client.
    TokioWebsockets,
    /// The crate fastwebsockets, a task a client.
    Fastwebsockets,
    /// npm's `ws`.
    Ws,
    /// Debian's nats-server, over WebSocket.
    NatsServer,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::SendLoop => "send loop",
            Kind::Guildgate => "guildgate",
            Kind::Edge => "guildgate's edge",
            Kind::Uwebsockets => "uWebSockets",
            Kind::Nchan => "nchan",
            Kind::TokioWebsockets => "tokio-websockets",
            Kind::Fastwebsockets => "fastwebsockets",
            Kind::Ws => "ws",
            Kind::NatsServer => "nats-server",
        })
    }
}

/// Where the servers' programs are.
#[derive(Debug, Clone)]
pub struct Places {
    /// `guildgate`.
    pub guildgate: PathBuf,
    /// `edge_bench`, an example of guildgate-server.
    pub edge: PathBuf,
    /// `peer` of guildgate-bench, built with `--features peers`.
    pub peer: PathBuf,
    /// `uwebsockets`, built by `crates/bench/peers/uwebsockets/build`.
    pub uwebsockets: PathBuf,
    /// `ws.mjs`; npm's `ws` must be installed beside or above it.
    pub ws: PathBuf,
    /// The processor that a measured server alone runs on; all if none.
    pub processor: Option<u32>,
}

impl Places {
    /// What this server needs that is not there, and how it comes there; none if nothing.
    #[must_use]
    pub fn missing(&self, kind: Kind) -> Option<String> {
        let (there, what, remedy) = match kind {
            Kind::Guildgate => (
                self.guildgate.exists(),
                self.guildgate.display().to_string(),
                "cargo build --release -p guildgate",
            ),
            Kind::Edge => (
                self.edge.exists(),
                self.edge.display().to_string(),
                "cargo build --release -p guildgate-server --example edge_bench",
            ),
            Kind::SendLoop | Kind::TokioWebsockets | Kind::Fastwebsockets => (
                self.peer.exists(),
                self.peer.display().to_string(),
                "cargo build --release -p guildgate-bench --features peers",
            ),
            Kind::Uwebsockets => (
                self.uwebsockets.exists(),
                self.uwebsockets.display().to_string(),
                "crates/bench/peers/uwebsockets/build",
            ),
            Kind::Ws => (
                installed("node").is_some() && has_ws(&self.ws),
                "node, or ws beside ws.mjs,".to_owned(),
                "apt install nodejs npm; npm install --prefix crates/bench/peers ws@8",
            ),
            Kind::Nchan => (
                installed("nginx").is_some() && Path::new(NCHAN).exists(),
                "nginx with nchan".to_owned(),
                "apt install libnginx-mod-nchan",
            ),
            Kind::NatsServer => (
                installed("nats-server").is_some(),
                "nats-server".to_owned(),
                "apt install nats-server",
            ),
        };
        (!there).then(|| format!("{kind}: {what} is not there: {remedy}"))
    }
}

/// Where a program is; Debian puts servers where only root looks.
pub(super) fn installed(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin")])
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

fn has_ws(program: &Path) -> bool {
    let program = program.canonicalize().unwrap_or_default();
    program
        .ancestors()
        .skip(1)
        .any(|folder| folder.join("node_modules/ws/package.json").exists())
}

/// Where Debian puts nginx's module.
pub(super) const NCHAN: &str = "/usr/lib/nginx/modules/ngx_nchan_module.so";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_server_is_told_with_its_remedy() {
        let nowhere = PathBuf::from("/nowhere/at/all");
        let places = Places {
            guildgate: nowhere.clone(),
            edge: nowhere.clone(),
            peer: nowhere.clone(),
            uwebsockets: nowhere.clone(),
            ws: nowhere,
            processor: None,
        };
        assert_eq!(
            places.missing(Kind::Uwebsockets).as_deref(),
            Some("uWebSockets: /nowhere/at/all is not there: crates/bench/peers/uwebsockets/build")
        );
        assert!(places.missing(Kind::Ws).is_some());
        let here = env::current_exe().expect("this test has a file");
        let places = Places {
            peer: here,
            ..places
        };
        assert_eq!(places.missing(Kind::SendLoop), None);
    }
}
