//! Servers to be measured beside the gateway: each sends one text to all its WebSocket clients
//! as often as a line on standard input says.

mod peers;

use std::net::Ipv4Addr;

use anyhow::{Result, bail};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kind, port, text] = &arguments[..] else {
        bail!("usage: peer send-loop|tokio-websockets|fastwebsockets PORT TEXT");
    };
    let address = (Ipv4Addr::LOCALHOST, port.parse()?).into();
    match kind.as_str() {
        "send-loop" => peers::send_loop::run(address, text),
        "tokio-websockets" => peers::tokio_websockets::run(address, text),
        "fastwebsockets" => peers::fastwebsockets::run(address, text),
        _ => bail!("no peer is called {kind}"),
    }
}
