//! What clients send, read by all.

use guildgate_server::edge::codec::Deflate;
use proptest::{collection::vec, prelude::*};

use crate::{
    fixed, frames, ours,
    peers::{self, Side},
    rules::{Peer, agree},
    seen::{End, Said, Seen},
    strategies::{message, pieces, stream},
};

/// Has everybody read `bytes`, each in its own pieces, and compares; and then once more with
/// what the last frame lacks.
///
/// Some see a fault in a frame's first bytes, some only in the whole frame. So where the bytes
/// end within a frame, one may wait for the rest of what another has refused; once the frame is
/// whole, all have to refuse it.
fn all_agree(bytes: &[u8], pieces: [&[usize]; 3]) -> Result<Seen, TestCaseError> {
    let cut = read(bytes, pieces);
    let lacks = frames::walk(bytes).lacks;
    let mut whole = bytes.to_vec();
    whole.resize(bytes.len() + lacks, 0);
    let walk = frames::walk(&whole);
    let whole = read(&whole, pieces);
    prop_assert!(whole.ours.said.starts_with(&cut.ours.said));
    if cut.ours.end != End::Open {
        prop_assert_eq!(&whole.ours, &cut.ours, "what is refused or closed stays so");
    }
    for (read, lacks) in [(&cut, lacks > 0), (&whole, false)] {
        for (peer, theirs) in &read.theirs {
            let one_waits = lacks
                && matches!(
                    (read.ours.end, theirs.end),
                    (End::Open, End::Refused(_)) | (End::Refused(_), End::Open)
                );
            prop_assert!(
                agree(*peer, &walk, &read.ours, theirs)
                    || one_waits && read.ours.said == theirs.said,
                "ours {:?}\n{peer:?} {theirs:?}\n{walk:?}",
                read.ours
            );
        }
    }
    Ok(cut.ours)
}

struct ReadByAll {
    ours: Seen,
    theirs: [(Peer, Seen); 2],
}

fn read(bytes: &[u8], pieces: [&[usize]; 3]) -> ReadByAll {
    ReadByAll {
        ours: ours::decode(bytes, pieces[0], Deflate::Off),
        theirs: [
            (
                Peer::Tungstenite,
                peers::tungstenite(bytes, pieces[1], Side::Server),
            ),
            (
                Peer::TokioWebsockets,
                peers::tokio_websockets(bytes, pieces[2], Side::Server),
            ),
        ],
    }
}

proptest! {
    #![proptest_config(fixed(800))]

    #[test]
    fn any_stream_is_read_alike(
        bytes in stream(),
        ours in pieces(),
        tungstenite in pieces(),
        tokio_websockets in pieces(),
    ) {
        all_agree(&bytes, [&ours, &tungstenite, &tokio_websockets])?;
    }
}

proptest! {
    #![proptest_config(fixed(120))]

    #[test]
    fn deflated_messages_say_what_plain_ones_do(
        messages in vec((message(), any::<bool>()), 1..6),
        pieces in pieces(),
    ) {
        let plain: Vec<u8> = messages.iter().flat_map(|(message, _)| message.plain()).collect();
        let mixed: Vec<u8> = messages
            .iter()
            .flat_map(|(message, deflate)| match deflate {
                true => message.deflated(),
                false => message.plain(),
            })
            .collect();
        // The peers know no extension: they read the messages as they are.
        let seen = all_agree(&plain, [&pieces, &pieces, &pieces])?;
        let texts = messages.iter().map(|(message, _)| message.text.clone().into_bytes());
        let said: Vec<Vec<u8>> = seen
            .said
            .iter()
            .filter_map(|said| match said {
                Said::Text(text) => Some(text.clone()),
                Said::Binary(_) | Said::Ping(_) | Said::Pong => None,
            })
            .collect();
        prop_assert_eq!(said, texts.collect::<Vec<_>>());
        prop_assert_eq!(ours::decode(&mixed, &pieces, Deflate::On), seen);
    }
}
