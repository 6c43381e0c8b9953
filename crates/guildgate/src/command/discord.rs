//! `guildgate discord`.

use std::time::Duration;

use anyhow::{Context, anyhow};
use bytes::Bytes;
use guildgate_server::config::Config;
use http::{Request, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::Value;

use crate::{
    cli::{Discord, DiscordAction, Send},
    exit::{Code, Failure},
    sources::load,
};

/// Longest wait for the gateway.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// The most that is read of its answer.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

pub async fn run(arguments: Discord) -> Result<(), Failure> {
    let DiscordAction::Send(send) = arguments.action;
    let config = load(send.config.config.clone(), Vec::new())?;
    let key = config.admin_key.clone().ok_or_else(|| {
        Failure::new(
            Code::Configuration,
            anyhow!("`admin_key` is not set: set the gateway's as GUILDGATE_ADMIN_KEY"),
        )
    })?;
    let body: Value = serde_json::from_str(&send.data)
        .context("the data is not JSON: put it in single quotes, such as '{\"status\":\"idle\"}'")
        .map_err(Failure::other)?;
    let url = format!(
        "{}/api/v1/discord/{}",
        gateway(&send, &config),
        send.kind.path()
    );
    let request = Request::post(&url)
        .header(header::AUTHORIZATION, format!("Bearer {}", key.expose()))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body.to_string())))
        .map_err(Failure::other)?;
    post(&url, request).await?;
    println!("The gateway sends it in its turn.");
    Ok(())
}

/// Where the gateway is: as said, or as it is configured to listen.
fn gateway(send: &Send, config: &Config) -> String {
    let scheme = match config.tls {
        Some(_) => "https",
        None => "http",
    };
    match &send.gateway {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => format!("{scheme}://{}", config.listen),
    }
}

async fn post(url: &str, request: Request<Full<Bytes>>) -> Result<(), Failure> {
    let connector = hyper_rustls::HttpsConnectorBuilder::new()
        .with_provider_and_webpki_roots(rustls::crypto::ring::default_provider())
        .map_err(Failure::other)?
        .https_or_http()
        .enable_http1()
        .build();
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build(connector);
    let exchange = async {
        let answer = client.request(request).await?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect();
        let body = body.await.map_err(|error| anyhow!(error))?.to_bytes();
        anyhow::Ok((status, body))
    };
    let (status, body) = tokio::time::timeout(ANSWER_WITHIN, exchange)
        .await
        .context("no answer in time")
        .and_then(|answer| answer)
        .with_context(|| format!("cannot reach the gateway at {url}; does it run there?"))
        .map_err(Failure::other)?;
    if status.is_success() {
        return Ok(());
    }
    let problem: Value = serde_json::from_slice(&body).unwrap_or_default();
    let detail = problem["detail"].as_str().unwrap_or("it does not say why");
    let faults = problem["errors"].as_array().into_iter().flatten();
    let faults: String = faults
        .filter_map(|fault| {
            let pointer = fault["pointer"].as_str()?;
            Some(format!("\n  {pointer}: {}", fault["detail"].as_str()?))
        })
        .collect();
    Err(Failure::other(anyhow!(
        "the gateway answered {}: {detail}{faults}",
        status.as_u16()
    )))
}
