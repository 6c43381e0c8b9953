//! REST calls as a bot makes them.

use bytes::Bytes;
use guildgate_simulator::Simulator;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
}

/// A call with the bot's token.
pub async fn call(
    simulator: &Simulator,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> Answer {
    call_as(simulator, Some("Bot simulator"), method, path, body).await
}

pub async fn get(simulator: &Simulator, path: &str) -> Value {
    let answer = call(simulator, Method::GET, path, None).await;
    assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
    answer.body
}

pub async fn call_as(
    simulator: &Simulator,
    token: Option<&str>,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> Answer {
    let stream = TcpStream::connect(simulator.local_addr())
        .await
        .expect("it listens");
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .expect("it speaks HTTP");
    tokio::spawn(connection);
    let path = if path.starts_with("/simulator") {
        path.to_owned()
    } else {
        format!("/api/v10{path}")
    };
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, simulator.local_addr().to_string())
        .header(header::CONTENT_TYPE, "application/json");
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, token);
    }
    let body = body.map(|body| body.to_string()).unwrap_or_default();
    let request = request
        .body(Full::new(Bytes::from(body)))
        .expect("a valid request");
    let response = sender.send_request(request).await.expect("an answer");
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.expect("a whole body").to_bytes();
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    Answer {
        status: parts.status,
        headers: parts.headers,
        body,
    }
}
