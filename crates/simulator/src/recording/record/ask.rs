//! Where the gateway is: `GET /gateway/bot`.

use std::time::Duration;

use bytes::Bytes;
use guildgate_discord::{
    Refusal,
    rest::{GatewayBot, gateway_bot},
};
use http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::time::timeout;

use super::{RecordError, RecordOptions};

/// Asks where the gateway is, and how many identifies are left.
pub(super) async fn gateway(options: &RecordOptions) -> Result<GatewayBot, RecordError> {
    let url = format!("{}/gateway/bot", options.api_url.trim_end_matches('/'));
    let unusable = || RecordError::Url { url: url.clone() };
    let failed = |why: String| RecordError::Gateway {
        url: url.clone(),
        why,
    };
    let uri: Uri = url.parse().map_err(|_| unusable())?;
    if uri.host().is_none() {
        return Err(unusable());
    }
    let connector = hyper_rustls::HttpsConnectorBuilder::new()
        .with_webpki_roots()
        .https_or_http()
        .enable_http1()
        .build();
    let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build(connector);
    let request = Request::get(uri)
        .header(
            header::AUTHORIZATION,
            format!("Bot {}", options.token.expose()),
        )
        .header(header::USER_AGENT, "DiscordBot (guildgate, 0.1)")
        .body(Empty::new())
        .map_err(|_| unusable())?;
    let answer = timeout(PATIENCE, client.request(request)).await;
    let answer = answer.map_err(|_| failed("no answer in time".to_owned()))?;
    let answer = answer.map_err(|error| failed(error.to_string()))?;
    match answer.status() {
        StatusCode::UNAUTHORIZED => return Err(RecordError::Refused(Refusal::Token)),
        status if !status.is_success() => return Err(failed(format!("it answered {status}"))),
        _ => {}
    }
    let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect();
    let body = timeout(PATIENCE, body).await;
    let body = body.map_err(|_| failed("its answer does not end".to_owned()))?;
    let body = body.map_err(|error| failed(error.to_string()))?.to_bytes();
    let shown = gateway_bot(&body).map_err(|error| failed(error.to_string()))?;
    shown.ok_or_else(|| failed("it named no URL".to_owned()))
}

const PATIENCE: Duration = Duration::from_secs(20);
const ANSWER_BYTES_MAX: usize = 64 * 1024;
