//! Where the hub's words go.

use std::{collections::BTreeMap, sync::Arc};

use guildgate_core::{
    ClientId,
    client::{Answer, Refusal},
    hub::{Entry, Output, Query, Rights},
};
use guildgate_model::Mono;
use tokio::sync::{mpsc::UnboundedSender, oneshot};

use super::{HubRequest, ShardsPort};
use crate::edge::ToEdge;

/// So many messages are pushed before the shards are woken within a turn: a role that ten
/// thousand hold keeps nobody waiting for the last of them.
const PUSHES_MAX: u32 = 2048;

/// Carries out what the hub says.
pub(super) struct Router {
    edges: Box<dyn ShardsPort>,
    outside: UnboundedSender<HubRequest>,
    outputs: Vec<Output>,
    /// Which shards have something new: bit n is shard n.
    touched: u64,
    pushes: u32,
    queries: BTreeMap<Query, oneshot::Sender<Result<Rights, Refusal>>>,
    next_query: u64,
    /// Who waits to know whether a client came in; dropped where it did not.
    connects: BTreeMap<ClientId, oneshot::Sender<Entry>>,
}

impl Router {
    pub(super) fn new(edges: Box<dyn ShardsPort>, outside: UnboundedSender<HubRequest>) -> Router {
        Router {
            edges,
            outside,
            outputs: Vec::new(),
            touched: 0,
            pushes: 0,
            queries: BTreeMap::new(),
            next_query: 0,
            connects: BTreeMap::new(),
        }
    }

    /// Where the hub puts its outputs; [`Router::route`] must follow.
    pub(super) fn outputs(&mut self) -> &mut Vec<Output> {
        &mut self.outputs
    }

    /// A name for somebody's question.
    pub(super) fn open_query(&mut self, reply: oneshot::Sender<Result<Rights, Refusal>>) -> Query {
        self.next_query += 1;
        let query = Query(self.next_query);
        self.queries.insert(query, reply);
        query
    }

    /// Somebody waits to know whether `client` comes onto the guild that it wants. A client waits
    /// for one at a time.
    pub(super) fn open_connect(&mut self, client: ClientId, reply: oneshot::Sender<Entry>) {
        self.connects.insert(client, reply);
    }

    /// It does not: it is gone.
    pub(super) fn close_connect(&mut self, client: ClientId) {
        self.connects.remove(&client);
    }

    /// Sends on what the hub put out; `received` is when the event that caused it came in.
    pub(super) fn route(&mut self, received: Option<Mono>) {
        let mut outputs = std::mem::take(&mut self.outputs);
        for output in outputs.drain(..) {
            self.route_one(output, received);
        }
        self.outputs = outputs;
    }

    /// Wakes the shards that have something new.
    pub(super) fn ring(&mut self) {
        let mut touched = std::mem::take(&mut self.touched);
        while touched != 0 {
            self.edges.ring(touched.trailing_zeros() as u8);
            touched &= touched - 1;
        }
        self.pushes = 0;
    }

    fn route_one(&mut self, output: Output, received: Option<Mono>) {
        match output {
            Output::Connected { client, entry, .. } => {
                if let Some(reply) = self.connects.remove(&client) {
                    let _ = reply.send(entry);
                }
                self.push(client.edge, ToEdge::Hub { output, received });
            }
            Output::Refused { client, .. } => {
                self.close_connect(client);
                self.push(client.edge, ToEdge::Hub { output, received });
            }
            Output::ToClient { client, .. } => {
                self.push(client.edge, ToEdge::Hub { output, received });
            }
            Output::ToGuild {
                guild,
                audience,
                event,
                edges,
                held_since,
            } => {
                // What was held back is late by that, for the histogram too.
                let received = held_since.or(received);
                let mut rest = edges;
                while rest != 0 {
                    let edge = rest.trailing_zeros() as u8;
                    rest &= rest - 1;
                    let output = Output::ToGuild {
                        guild,
                        audience,
                        event: Arc::clone(&event),
                        edges,
                        held_since,
                    };
                    self.push(edge, ToEdge::Hub { output, received });
                }
            }
            Output::Answer { client, result } => self.answer(
                client,
                match result {
                    Ok(data) => Answer::Done(data),
                    Err(refusal) => Answer::Refused(refusal),
                },
            ),
            Output::Rights { query, result } => {
                if let Some(reply) = self.queries.remove(&query) {
                    let _ = reply.send(result);
                }
            }
            Output::RequestMembers { guild, users } => {
                self.request(HubRequest::Members { guild, users });
            }
            Output::RequestEverybody { guild } => {
                self.request(HubRequest::Everybody { guild });
            }
            Output::FetchInvite { guild, code } => {
                self.request(HubRequest::Invite { guild, code });
            }
            Output::AskSession { key, ticket, ask } => {
                self.request(HubRequest::Session { key, ticket, ask });
            }
            Output::Arrived { guild, arrival } => {
                tracing::debug!(%guild, ?arrival, "a guild came in");
            }
        }
    }

    fn answer(&mut self, client: ClientId, answer: Answer) {
        self.push(client.edge, ToEdge::Answer(client, answer));
    }

    fn request(&self, request: HubRequest) {
        // Nobody serves requests any more once the node goes away.
        let _ = self.outside.send(request);
    }

    fn push(&mut self, edge: u8, message: ToEdge) {
        self.edges.push(edge, message);
        self.touched |= 1 << edge.min(63);
        self.pushes += 1;
        if self.pushes >= PUSHES_MAX {
            self.ring();
        }
    }
}
