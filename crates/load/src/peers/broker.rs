//! The servers that are programs of their own: their configuration, and how each is given an
//! event by its own protocol.

use std::{
    fs,
    io::Write as _,
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Stdio},
};

use anyhow::{Context as _, Result};
use ureq::Agent;

use super::{
    TEXT,
    kind::{NCHAN, Places, installed},
    peer::{pinned, until_listening},
};
use crate::spawn::free_port;

/// A started server, and how events are published on it.
pub(super) struct Broker {
    pub(super) address: SocketAddr,
    pub(super) child: Child,
    pub(super) publisher: Publisher,
    /// Held so that it is removed with the server.
    _folder: Folder,
}

/// How a server is given an event.
pub(super) enum Publisher {
    /// By a POST each.
    Http(Agent, String),
    /// By NATS' own protocol over TCP.
    Nats(TcpStream),
}

impl Publisher {
    pub(super) fn publish(&mut self, count: u32) -> Result<()> {
        match self {
            Publisher::Http(agent, url) => {
                for _ in 0..count {
                    agent.post(&*url).send(TEXT).context("posting an event")?;
                }
                Ok(())
            }
            Publisher::Nats(socket) => {
                let one = format!("PUB load {}\r\n{TEXT}\r\n", TEXT.len());
                socket
                    .write_all(one.repeat(count as usize).as_bytes())
                    .context("publishing an event")
            }
        }
    }
}

pub(super) fn nchan(places: &Places) -> Result<Broker> {
    let address = free_port()?;
    let folder = Folder::new("nchan", address)?;
    let at = folder.0.display();
    let text = format!(
        "load_module {NCHAN};\npid {at}/pid;\nerror_log stderr error;\nworker_rlimit_nofile 20000;\n\
         daemon off;\nmaster_process off;\nevents {{ worker_connections 19990; }}\n\
         http {{ access_log off; client_body_temp_path {at}/body; proxy_temp_path {at}/proxy;\n\
         fastcgi_temp_path {at}/fastcgi; uwsgi_temp_path {at}/uwsgi; scgi_temp_path {at}/scgi;\n\
         server {{ listen {address};\n\
         location /sub {{ nchan_subscriber websocket; nchan_channel_id load; \
         nchan_subscriber_first_message newest; }}\n\
         location /pub {{ nchan_publisher; nchan_channel_id load; nchan_message_buffer_length 64; }}\n\
         }} }}\n"
    );
    let child = folder.run(places, "nginx", &text)?;
    until_listening(address)?;
    let url = format!("http://{address}/pub");
    Ok(Broker {
        address,
        child,
        publisher: Publisher::Http(Agent::new_with_defaults(), url),
        _folder: folder,
    })
}

pub(super) fn nats(places: &Places) -> Result<Broker> {
    let (clients, address) = (free_port()?, free_port()?);
    let folder = Folder::new("nats", address)?;
    // Its pings would come to the publisher too, which only speaks.
    let text = format!(
        "listen: \"{clients}\"\nping_interval: \"1h\"\n\
         websocket {{ listen: \"{address}\", no_tls: true }}\n"
    );
    let child = folder.run(places, "nats-server", &text)?;
    until_listening(clients)?;
    until_listening(address)?;
    let mut socket = TcpStream::connect(clients).context("connecting a publisher")?;
    socket.set_nodelay(true)?;
    socket
        .write_all(b"CONNECT {\"verbose\":false,\"pedantic\":false}\r\n")
        .context("greeting a server")?;
    Ok(Broker {
        address,
        child,
        publisher: Publisher::Nats(socket),
        _folder: folder,
    })
}

/// A folder for a server's files.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str, address: SocketAddr) -> Result<Folder> {
        let port = address.port();
        let path = std::env::temp_dir().join(format!("guildgate-{name}-{port}"));
        fs::create_dir_all(&path).context("making a folder for a server")?;
        Ok(Folder(path))
    }

    fn run(&self, places: &Places, program: &str, configuration: &str) -> Result<Child> {
        let file = self.0.join("configuration");
        fs::write(&file, configuration).context("writing a server's configuration")?;
        let program = installed(program).with_context(|| format!("looking for {program}"))?;
        pinned(places, Path::new(&program))
            .arg("-c")
            .arg(&file)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("running {}", program.display()))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("{} stays behind: {error}", self.0.display());
        }
    }
}
