//! Where another may differ from the edge's decoder, each with its reason.

use crate::{
    frames::Walk,
    seen::{End, Fault, Said, Seen},
};

/// Who else read the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    Tungstenite,
    TokioWebsockets,
}

/// How what they say must stand to what we say.
#[derive(Debug, PartialEq, Eq)]
enum Relation {
    /// The same messages, one by one.
    Same,
    /// We have stopped; they go on.
    TheyGoOn,
    /// It should not be.
    Fault,
}

/// Whether two readings of the same bytes are both right.
pub fn agree(peer: Peer, walk: &Walk, ours: &Seen, theirs: &Seen) -> bool {
    match relation(peer, walk, ours.end, theirs.end) {
        Relation::Same => ours.said == theirs.said,
        Relation::TheyGoOn => theirs.said.starts_with(&ours.said),
        Relation::Fault => false,
    }
}

fn relation(peer: Peer, walk: &Walk, ours: End, theirs: End) -> Relation {
    match (ours, theirs) {
        // Stricter by the wire protocol, "Transport": there are text messages alone, and what
        // is not is closed with 4002. To them it is sound.
        (End::Refused(Fault::Binary), _) => Relation::TheyGoOn,
        // RFC 6455, 5.2: the shortest form "MUST" be used; tungstenite takes any.
        (End::Refused(Fault::Frames), _) if peer == Peer::Tungstenite && walk.long_form => {
            Relation::TheyGoOn
        }
        (ours, theirs) if ours == theirs => Relation::Same,
        // Two faults in one frame, whose order RFC 6455 leaves open. We look at the first two
        // bytes before the length, and at the length before the payload.
        (End::Refused(Fault::Frames), End::Refused(Fault::Size)) if walk.claims_too_much => {
            Relation::Same
        }
        (End::Refused(Fault::Size), End::Refused(Fault::Utf8)) => Relation::Same,
        // A close frame's reason that is not UTF-8: RFC 6455, 5.5.1 and 8.1, name no code.
        (End::Refused(Fault::Frames), End::Refused(Fault::Utf8)) if walk.closes => Relation::Same,
        // 1014 was registered with IANA after RFC 6455; tungstenite does not know it.
        (End::Closed(Some(1014)), End::Refused(Fault::Frames)) if peer == Peer::Tungstenite => {
            Relation::Same
        }
        // RFC 6455, 7.4.2: not for use but by an extension, and we agree to none that does.
        (End::Refused(Fault::Frames), End::Closed(Some(1016..=2999)))
            if peer == Peer::TokioWebsockets =>
        {
            Relation::Same
        }
        _ => Relation::Fault,
    }
}

#[test]
fn what_no_rule_names_is_a_fault() {
    let seen = |said: &[Said], end| Seen {
        said: said.to_vec(),
        end,
    };
    let walk = Walk::default();
    let open = seen(&[Said::Pong], End::Open);
    for other in [
        seen(&[], End::Open),
        seen(&[Said::Pong], End::Closed(None)),
        seen(&[Said::Pong], End::Refused(Fault::Frames)),
        seen(&[Said::Pong], End::Refused(Fault::Size)),
    ] {
        for peer in [Peer::Tungstenite, Peer::TokioWebsockets] {
            assert!(!agree(peer, &walk, &open, &other));
            assert!(!agree(peer, &walk, &other, &open));
            assert!(agree(peer, &walk, &other, &other));
        }
    }
}
