//! Discord's REST calls, as far as bots need them to live and to change the world, and the
//! simulator's own calls under `/simulator`.

mod admin;
mod body;
mod caller;
mod channels;
mod error;
mod extract;
mod guilds;
mod invites;
mod limit;
mod members;
mod roles;
mod users;

use std::sync::Arc;

use axum::{Router, extract::State, middleware};

pub(crate) use limit::Buckets;

use crate::driver::Shared;
use error::ApiError;

/// What every call is given.
type World = State<Arc<Shared>>;

/// Every REST call.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    let calls = Router::new()
        .merge(users::router())
        .merge(guilds::router())
        .merge(members::router())
        .merge(roles::router())
        .merge(channels::router())
        .merge(invites::router())
        .route_layer(middleware::from_fn_with_state(
            shared.clone(),
            caller::guard,
        ))
        .merge(users::open_router())
        .fallback(not_found)
        .method_not_allowed_fallback(not_allowed);
    Router::new()
        .nest("/api/v10", calls.clone())
        .nest("/api/v9", calls.clone())
        .nest("/api", calls)
        .nest("/simulator", admin::router())
        .fallback(not_found)
        .with_state(shared)
}

async fn not_found() -> ApiError {
    ApiError::NOT_FOUND
}

async fn not_allowed() -> ApiError {
    ApiError::METHOD_NOT_ALLOWED
}
