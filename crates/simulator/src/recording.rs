//! What a gateway said, kept in a file: JSON lines, one frame each, compressed if the file's
//! name ends with `.gz` or `.zst`.
//!
//! The first line is a header, `{"guildgate_recording":1,…}`. Every other line is
//! `{"t_ms":…,"dir":"in"|"out","frame":…}`: milliseconds since the recording began, who spoke
//! (`in` is the gateway), and the payload as it was, redacted. Tokens are never written.

mod record;
mod redact;

use std::{
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

pub use record::{RecordError, RecordOptions, RecordSummary, record};
pub use redact::{Redaction, Redactor};

/// Who sent a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// The gateway, to the bot.
    In,
    /// The bot, to the gateway.
    Out,
}

/// One frame of a recording.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RecordedFrame {
    /// Milliseconds since the recording began.
    pub t_ms: u64,
    /// Who sent it.
    pub dir: Direction,
    /// The payload, byte for byte unless redacted.
    pub frame: Box<RawValue>,
}

/// A whole recording, in memory.
#[derive(Debug, Clone, Default)]
pub struct Recording {
    /// In order of time.
    pub frames: Vec<RecordedFrame>,
}

/// Why a recording cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The file cannot be opened, read or written.
    #[error("cannot use the recording {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// A line is not what it should be.
    #[error("line {line} of the recording is not a recorded frame: {cause}")]
    Line {
        /// Its number, from 1.
        line: usize,
        /// Why.
        cause: serde_json::Error,
    },
    /// The file begins otherwise.
    #[error("this is not a recording: its first line is no header of version 1")]
    Header,
}

#[derive(Serialize, Deserialize)]
struct Header {
    guildgate_recording: u32,
}

impl Recording {
    /// Reads a recording from a file.
    ///
    /// # Errors
    /// [`RecordingError`] says which line is at fault.
    pub fn open(path: &Path) -> Result<Recording, RecordingError> {
        let failed = |cause| RecordingError::File {
            path: path.to_owned(),
            cause,
        };
        let file = File::open(path).map_err(failed)?;
        match packing(path) {
            Packing::Plain => Recording::read(BufReader::new(file)),
            Packing::Gzip => {
                Recording::read(BufReader::new(flate2::read::MultiGzDecoder::new(file)))
            }
            Packing::Zstd => {
                let decoder = zstd::stream::read::Decoder::new(file).map_err(failed)?;
                Recording::read(BufReader::new(decoder))
            }
        }
    }

    /// Reads a recording's lines.
    ///
    /// # Errors
    /// [`RecordingError`] says which line is at fault.
    pub fn read(lines: impl BufRead) -> Result<Recording, RecordingError> {
        let mut frames = Vec::new();
        for (index, line) in lines.lines().enumerate() {
            let at = |cause| RecordingError::Line {
                line: index + 1,
                cause,
            };
            let line = line.map_err(|cause| at(serde_json::Error::io(cause)))?;
            if index == 0 {
                match serde_json::from_str::<Header>(&line) {
                    Ok(Header {
                        guildgate_recording: VERSION,
                    }) => {}
                    Ok(_) | Err(_) => return Err(RecordingError::Header),
                }
            } else if !line.trim().is_empty() {
                frames.push(serde_json::from_str(&line).map_err(at)?);
            }
        }
        if frames.is_empty() {
            Err(RecordingError::Header)
        } else {
            Ok(Recording { frames })
        }
    }
}

/// Writes a recording, frame by frame.
pub struct Recorder {
    out: Box<dyn Write + Send>,
    redactor: Redactor,
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorder")
            .field("redactor", &self.redactor)
            .finish_non_exhaustive()
    }
}

impl Recorder {
    /// Starts a recording in a new file, compressed as its name says.
    ///
    /// # Errors
    /// [`RecordingError::File`] where it cannot be written.
    pub fn create(path: &Path, redactor: Redactor) -> Result<Recorder, RecordingError> {
        let failed = |cause| RecordingError::File {
            path: path.to_owned(),
            cause,
        };
        let file = BufWriter::new(File::create(path).map_err(failed)?);
        let out: Box<dyn Write + Send> = match packing(path) {
            Packing::Plain => Box::new(file),
            Packing::Gzip => Box::new(flate2::write::GzEncoder::new(
                file,
                flate2::Compression::default(),
            )),
            Packing::Zstd => {
                let encoder = zstd::stream::write::Encoder::new(file, 3).map_err(failed)?;
                Box::new(encoder.auto_finish())
            }
        };
        Recorder::new(out, redactor).map_err(failed)
    }

    /// Starts a recording on any writer.
    ///
    /// # Errors
    /// Where the header cannot be written.
    pub fn new(mut out: Box<dyn Write + Send>, redactor: Redactor) -> io::Result<Recorder> {
        serde_json::to_writer(
            &mut out,
            &Header {
                guildgate_recording: VERSION,
            },
        )?;
        out.write_all(b"\n")?;
        Ok(Recorder { out, redactor })
    }

    /// Writes one frame, redacted. What is not JSON is left out: it cannot be redacted.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn push(&mut self, t_ms: u64, dir: Direction, text: &str) -> io::Result<()> {
        let Some(frame) = self.redactor.redact(text) else {
            return Ok(());
        };
        serde_json::to_writer(&mut self.out, &RecordedFrame { t_ms, dir, frame })?;
        self.out.write_all(b"\n")
    }

    /// Writes out what is still held.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn finish(mut self) -> io::Result<()> {
        self.out.flush()
    }
}

enum Packing {
    Plain,
    Gzip,
    Zstd,
}

fn packing(path: &Path) -> Packing {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("gz") => Packing::Gzip,
        Some("zst") => Packing::Zstd,
        Some(_) | None => Packing::Plain,
    }
}

const VERSION: u32 = 1;

#[cfg(test)]
mod tests;
