//! What the gateway serves over plain HTTP: the API for a site's back end, where the gateway
//! is, how it is, and the page.
//!
//! Every route under `/api/v1` but its own description needs the admin key: a handler asks
//! for [`extract::Admin`], which nobody can make without it. Every error is a problem document.

mod actor;
mod audit;
mod discord;
mod extract;
mod forms;
mod gateway;
mod guilds;
mod health;
mod notifications;
mod page;
mod role_grants;
mod state;
mod submissions;
mod tasks;
mod tokens;
mod webhooks;

#[cfg(test)]
mod tests;

use axum::{
    Router,
    extract::{Request, State},
    http::Uri,
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use http::Method;
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::problem::{FieldError, Problem, ProblemKind};

pub use discord::{DiscordPort, OperatorCommand};
pub use gateway::PeerAddress;
pub use page::{Asset, Assets};
pub use state::{Api, ApiParts, GuildSummary, Live, LiveError, NotReady, Readiness};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Guildgate",
        description = "The API for a site's back end, and what a page and an operator need. \
            Errors are problem documents (RFC 9457). Ids are strings.",
        license(name = "MIT OR Apache-2.0")
    ),
    components(schemas(Problem, FieldError)),
    modifiers(&AdminKey),
    tags(
        (name = "tokens", description = "Credentials of users, guilds and the site"),
        (name = "guilds", description = "Guilds as the gateway sees them now"),
        (name = "notifications", description = "What users are told"),
        (name = "forms", description = "Application forms, and their history"),
        (name = "submissions", description = "Submitted applications, and their reviews"),
        (name = "audit", description = "Who changed what, and when"),
        (name = "role-grants", description = "Roles that accepted applicants get in Discord"),
        (name = "webhooks", description = "Calls of the web hooks that the configuration names"),
        (name = "discord", description = "What the bot's shards are to send"),
        (name = "gateway", description = "Where clients connect"),
        (name = "operation", description = "How the gateway is"),
    )
)]
struct Description;

struct AdminKey;

impl utoipa::Modify for AdminKey {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
        api.components.get_or_insert_default().add_security_scheme(
            ADMIN_KEY,
            SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)),
        );
    }
}

/// What is guarded by the admin key can answer 503, whatever it does: there may be no key.
fn note_unavailable(api: &mut utoipa::openapi::OpenApi) {
    let problem = utoipa::openapi::ContentBuilder::new()
        .schema(Some(utoipa::openapi::Ref::from_schema_name("Problem")))
        .build();
    let unavailable = utoipa::openapi::ResponseBuilder::new()
        .description("No admin key is set, or what is needed does not answer")
        .content("application/problem+json", problem)
        .build();
    for item in api.paths.paths.values_mut() {
        let operations = [
            &mut item.get,
            &mut item.put,
            &mut item.post,
            &mut item.delete,
            &mut item.patch,
        ];
        let guarded = operations
            .into_iter()
            .flatten()
            .filter(|operation| operation.security.is_some());
        for operation in guarded {
            operation
                .responses
                .responses
                .entry("503".to_owned())
                .or_insert_with(|| utoipa::openapi::RefOr::T(unavailable.clone()));
        }
    }
}

/// The admin key's name in the description.
const ADMIN_KEY: &str = "admin_key";

/// Every route and its description.
fn described() -> (Router<Api>, utoipa::openapi::OpenApi) {
    let (router, mut api) = OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(tokens::issue, tokens::list))
        .routes(routes!(tokens::revoke))
        .routes(routes!(guilds::list))
        .routes(routes!(guilds::read))
        .routes(routes!(guilds::set_invite))
        .routes(routes!(notifications::send))
        .merge(forms::routes())
        .merge(submissions::routes())
        .merge(audit::routes())
        .merge(role_grants::routes())
        .merge(webhooks::routes())
        .merge(discord::routes())
        .routes(routes!(gateway::locate))
        .routes(routes!(health::alive))
        .routes(routes!(health::ready))
        .routes(routes!(health::metrics))
        .routes(routes!(describe))
        .split_for_parts();
    note_unavailable(&mut api);
    (router, api)
}

/// The description of the API.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    described().1
}

/// All that is served over plain HTTP.
pub fn router(api: Api) -> Router {
    let (mut router, _) = described();
    // One by one: a route for every path would make a call of an unknown one with POST a call
    // with the wrong method.
    for asset in api.assets {
        router = router.route(&format!("/{}", asset.path), get(page::asset));
    }
    router
        .route("/", get(page::index))
        .route("/demo.json", get(page::demo))
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(api.clone(), count))
        .with_state(api)
}

/// Counts an answer by its class.
async fn count(State(api): State<Api>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    api.metrics
        .http_responses
        .increment(match response.status().as_u16() {
            ..200 => "1xx",
            200..300 => "2xx",
            300..400 => "3xx",
            400..500 => "4xx",
            500.. => "5xx",
        });
    response
}

/// This description
#[utoipa::path(
    get,
    path = "/api/v1/openapi.json",
    tag = "operation",
    responses((status = 200, description = "The API, as OpenAPI 3.1", content_type = "application/json"))
)]
async fn describe() -> impl IntoResponse {
    axum::Json(openapi())
}

async fn unknown(uri: Uri) -> Problem {
    page::not_found(uri.path())
}

async fn wrong_method(method: Method, uri: Uri) -> Problem {
    Problem::new(
        ProblemKind::MethodNotAllowed,
        format!(
            "{} does not take {method}; see `Allow`, or /api/v1/openapi.json",
            uri.path()
        ),
    )
}
