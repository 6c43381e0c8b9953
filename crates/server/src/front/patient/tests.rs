use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, duplex},
    time::Instant,
};

use super::*;

const WITHIN: Duration = Duration::from_secs(30);

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_nothing_is_waited_for_so_long_and_no_longer() {
    let (socket, _peer) = duplex(8);
    let mut socket = Patient::new(socket, WITHIN);
    let before = Instant::now();
    let error = socket.write_all(&[0; 9]).await.expect_err("nobody reads");
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    let waited = before.elapsed();
    assert!(waited >= WITHIN && waited < 2 * WITHIN, "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_little_but_takes_it_is_borne_with() {
    let (socket, mut peer) = duplex(8);
    let mut socket = Patient::new(socket, WITHIN);
    let writing = tokio::spawn(async move { socket.write_all(&[0; 80]).await });
    for _ in 0..10 {
        tokio::time::advance(WITHIN - Duration::from_secs(1)).await;
        peer.read_exact(&mut [0; 8]).await.expect("bytes");
    }
    writing.await.expect("a task").expect("all was taken");
}
