//! A simulator in another process, moved by its own calls.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;

/// Calls the simulator at an address; for command lines and load generators.
#[derive(Debug, Clone)]
pub struct RemoteSimulator {
    base_url: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// Why a simulator did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// It could not be reached.
    #[error("cannot reach the simulator at {url}; is it running there? ({why})")]
    Unreachable {
        /// Where.
        url: String,
        /// Why.
        why: String,
    },
    /// It refused.
    #[error("the simulator refused {path}: {why}")]
    Refused {
        /// What was called.
        path: String,
        /// What it said.
        why: String,
    },
}

impl RemoteSimulator {
    /// The simulator at `base_url`, such as `http://127.0.0.1:7103`.
    #[must_use]
    pub fn new(base_url: &str) -> RemoteSimulator {
        let base_url = base_url.trim_end_matches('/').to_owned();
        RemoteSimulator {
            base_url,
            client: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    /// Makes one of the calls of docs/simulator.md: `path` such as `/simulator/faults`. The
    /// answer is null where there is none.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, RemoteError> {
        let url = format!("{}{path}", self.base_url);
        let unreachable = |why: String| RemoteError::Unreachable {
            url: self.base_url.clone(),
            why,
        };
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = Request::builder()
            .method(method)
            .uri(&url)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| unreachable(error.to_string()))?;
        let answer = tokio::time::timeout(PATIENCE, self.client.request(request)).await;
        let answer = answer.map_err(|_| unreachable("no answer in time".to_owned()))?;
        let answer = answer.map_err(|error| unreachable(error.to_string()))?;
        let status = answer.status();
        let bytes = Limited::new(answer.into_body(), ANSWER_BYTES_MAX)
            .collect()
            .await;
        let bytes = bytes
            .map_err(|error| unreachable(error.to_string()))?
            .to_bytes();
        let said: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        if status.is_success() {
            return Ok(said);
        }
        let why = said["error"]
            .as_str()
            .map_or_else(|| status.to_string(), str::to_owned);
        Err(RemoteError::Refused {
            path: path.to_owned(),
            why,
        })
    }
}

const PATIENCE: Duration = Duration::from_secs(30);
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
