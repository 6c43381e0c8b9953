//! How the gateway is: for load balancers, supervisors and dashboards.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::header;

use super::Api;
use crate::problem::{Problem, ProblemKind};

/// Ask whether the process runs
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "operation",
    responses((status = 200, description = "It does", content_type = "text/plain"))
)]
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// Ask whether clients are served
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "operation",
    responses(
        (status = 200, description = "Discord's guilds are in", content_type = "text/plain"),
        (status = 503, description = "Not yet or no longer, and why", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn ready(State(api): State<Api>) -> Result<&'static str, Problem> {
    match api.readiness.check() {
        Ok(()) => Ok("ready\n"),
        Err(why) => Err(Problem::new(ProblemKind::Unavailable, why.to_string())),
    }
}

/// Read what is counted
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "operation",
    responses((status = 200, description = "For Prometheus; docs/metrics.md explains each", content_type = "application/openmetrics-text"))
)]
pub(super) async fn metrics(State(api): State<Api>) -> Response {
    let headers = [(
        header::CONTENT_TYPE,
        "application/openmetrics-text; version=1.0.0; charset=utf-8",
    )];
    (headers, api.metrics.encode()).into_response()
}
