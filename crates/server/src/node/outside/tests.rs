//! Web hooks and Discord's REST over real sockets.

use std::sync::{Arc, Mutex};

use axum::{Router, extract::Request, response::IntoResponse};
use guildgate_model::Secret;
use http::Method;

use super::*;
use crate::clock::Clock;

/// What a request was: its method, path, one header, and body.
type Heard = (Method, String, Option<String>, Vec<u8>);

/// A server that answers every request with the status that its path ends in.
async fn listening() -> (String, Arc<Mutex<Vec<Heard>>>) {
    let heard = Arc::<Mutex<Vec<Heard>>>::default();
    let noted = Arc::clone(&heard);
    let answer = move |request: Request| {
        let noted = Arc::clone(&noted);
        async move {
            let (parts, body) = request.into_parts();
            let body = axum::body::to_bytes(body, 4_096).await.expect("a body");
            let path = parts.uri.path().to_owned();
            let status = path.rsplit('/').next().and_then(|last| last.parse().ok());
            let header = parts.headers.get("guildgate-event").cloned();
            let header = header.and_then(|value| Some(value.to_str().ok()?.to_owned()));
            let mut noted = noted.lock().expect("a lock");
            noted.push((parts.method, path, header, body.to_vec()));
            status
                .and_then(|status| StatusCode::from_u16(status).ok())
                .unwrap_or(StatusCode::NOT_FOUND)
                .into_response()
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("a port");
    let address = listener.local_addr().expect("an address");
    let app = Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(listener, app).await });
    (format!("http://{address}"), heard)
}

fn world(api_url: &str) -> World {
    let rest = Rest::new(api_url, Secret::new("token"), Clock::start());
    World::new(rest.expect("a client")).expect("a world")
}

#[tokio::test]
async fn a_web_hook_is_posted_and_its_answer_judged() {
    let (url, heard) = listening().await;
    let world = world(&url);
    let post = async |path: &str| {
        let headers = [("guildgate-event", "submitted:1".to_owned())];
        let url = format!("{url}{path}");
        world.post(&url, &headers, b"{}".to_vec()).await
    };
    assert_eq!(post("/hook/200").await, Called::Done);
    let gone = post("/hook/410").await;
    assert!(matches!(gone, Called::Never { .. }), "{gone:?}");
    for status in [302, 400, 429, 500] {
        let failed = post(&format!("/hook/{status}")).await;
        let expected = later(format!("the web hook answered {status}"));
        assert_eq!(failed, expected);
    }
    let first = heard.lock().expect("a lock")[0].clone();
    let event = Some("submitted:1".to_owned());
    let expected = (Method::POST, "/hook/200".to_owned(), event, b"{}".to_vec());
    assert_eq!(first, expected);
}

#[tokio::test]
async fn what_cannot_be_reached_is_tried_later_and_what_is_no_address_never() {
    let unused = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", unused.local_addr().expect("an address"));
    drop(unused);
    let world = world(&url);
    let refused = world.post(&url, &[], Vec::new()).await;
    assert!(matches!(refused, Called::Later { .. }), "{refused:?}");
    let nowhere = world.post("not an address", &[], Vec::new()).await;
    assert!(matches!(nowhere, Called::Never { .. }), "{nowhere:?}");
}

#[tokio::test]
async fn a_role_is_put_by_discords_rest() {
    let (url, heard) = listening().await;
    let world = world(&url);
    let grant = async |role| world.grant_role(GuildId(1), UserId(2), RoleId(role)).await;
    assert_eq!(grant(204).await, Called::Done);
    for never in [403, 404] {
        let failed = grant(never).await;
        assert!(matches!(failed, Called::Never { .. }), "{failed:?}");
    }
    let (method, path, ..) = heard.lock().expect("a lock")[0].clone();
    assert_eq!(method, Method::PUT);
    assert_eq!(path, "/guilds/1/members/2/roles/204");
}
