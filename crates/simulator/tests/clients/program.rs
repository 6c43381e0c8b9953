//! A program that says what it sees, one JSON object a line.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use guildgate_simulator::Simulator;
use serde_json::Value;
use tokio::sync::mpsc;

use crate::PATIENCE;

pub struct Program {
    child: Child,
    lines: mpsc::UnboundedReceiver<Value>,
    /// What was said before the event that is waited for.
    passed: Vec<Value>,
}

impl Program {
    /// A script that node runs.
    pub fn node(script: &str, simulator: &Simulator) -> Program {
        let installed = install();
        let mut command = Command::new("node");
        command.env("NODE_PATH", installed.join("node_modules"));
        Program::start(command, script, simulator)
    }

    /// A script that python runs.
    pub fn python(script: &str, simulator: &Simulator) -> Program {
        Program::start(
            Command::new(install().join("python/bin/python")),
            script,
            simulator,
        )
    }

    fn start(mut command: Command, script: &str, simulator: &Simulator) -> Program {
        let mut child = command
            .arg(scripts().join(script))
            .env(
                "SIMULATOR_URL",
                format!("http://{}", simulator.local_addr()),
            )
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node and python3 are needed for these tests");
        let output = child.stdout.take().expect("it was asked for");
        let (sender, lines) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if let Ok(said) = serde_json::from_str(&line)
                    && sender.send(said).is_err()
                {
                    return;
                }
            }
        });
        Program {
            child,
            lines,
            passed: Vec::new(),
        }
    }

    /// The next thing called `name` that it says, or said while something else was waited for.
    pub async fn event(&mut self, name: &str) -> Value {
        if let Some(index) = self.passed.iter().position(|said| said["event"] == name) {
            return self.passed.remove(index);
        }
        loop {
            let said = tokio::time::timeout(PATIENCE, self.lines.recv()).await;
            let Ok(Some(said)) = said else {
                panic!("no {name:?}; it said {:?}", self.passed);
            };
            if said["event"] == name {
                return said;
            }
            self.passed.push(said);
        }
    }

    /// Ends its input, upon which it logs out.
    pub async fn end(mut self) {
        drop(self.child.stdin.take());
        // The end of its output comes with its own.
        let silent = async { while self.lines.recv().await.is_some() {} };
        let silent = tokio::time::timeout(PATIENCE, silent).await;
        assert!(silent.is_ok(), "it does not end");
        let status = self.child.wait().expect("it ends");
        assert!(status.success(), "it ended with {status}");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself, which is what a test wants.
        if matches!(self.child.try_wait(), Ok(None)) {
            drop(self.child.kill());
        }
    }
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/clients")
}

/// Installs the libraries if they are not, and says where they are.
fn install() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../clients");
    let status = Command::new("sh")
        .arg(scripts().join("install"))
        .arg(&folder)
        .status()
        .expect("a shell is needed for these tests");
    assert!(
        status.success(),
        "testdata/clients/install ended with {status}"
    );
    folder
}
