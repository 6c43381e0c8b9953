//! A stream that can be made slow, and broken.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::clock::Clock;

/// What is done to a stream; shared with the task that decides it.
#[derive(Debug, Default)]
pub(super) struct Harm {
    /// Bytes a second; 0 is as fast as it goes.
    pace: AtomicU32,
    /// Bytes to write before the next ones.
    garbage: Mutex<Vec<u8>>,
}

impl Harm {
    pub(super) fn set_pace(&self, bytes_per_second: Option<u32>) {
        self.pace
            .store(bytes_per_second.unwrap_or(0), Ordering::Relaxed);
    }

    pub(super) fn inject(&self, bytes: &[u8]) {
        let mut garbage = self.garbage.lock().unwrap_or_else(PoisonError::into_inner);
        garbage.extend_from_slice(bytes);
    }
}

/// A stream under [`Harm`].
pub(super) struct Paced<T> {
    inner: T,
    harm: Arc<Harm>,
    clock: Clock,
    /// Until the next portion may be written.
    pause: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl<T> Paced<T> {
    pub(super) fn new(inner: T, harm: Arc<Harm>, clock: Clock) -> Paced<T> {
        Paced {
            inner,
            harm,
            clock,
            pause: None,
        }
    }
}

impl<T: AsyncWrite + Unpin> Paced<T> {
    /// Writes what is to come before the next bytes.
    fn write_garbage(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut garbage = self
            .harm
            .garbage
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        while !garbage.is_empty() {
            let written = ready!(Pin::new(&mut self.inner).poll_write(cx, &garbage))?;
            garbage.drain(..written);
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Paced<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buffer)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Paced<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.write_garbage(cx))?;
        let pace = this.harm.pace.load(Ordering::Relaxed);
        if pace == 0 {
            return Pin::new(&mut this.inner).poll_write(cx, bytes);
        }
        if let Some(pause) = &mut this.pause {
            ready!(pause.as_mut().poll(cx));
        }
        // Ten portions a second, of at least a byte.
        let portion = usize::try_from(pace / 10)
            .unwrap_or(usize::MAX)
            .clamp(1, bytes.len().max(1));
        let written =
            ready!(Pin::new(&mut this.inner).poll_write(cx, &bytes[..portion.min(bytes.len())]))?;
        let (clock, until) = (this.clock.clone(), this.clock.now().mono + PORTION_EVERY);
        this.pause = Some(Box::pin(async move { clock.sleep_until(until).await }));
        Poll::Ready(Ok(written))
    }

    /// All that waits goes out at once, so that a burst arrives as one: frame by frame, whoever
    /// reads would begin with the first while the others are still to be written.
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.harm.pace.load(Ordering::Relaxed) != 0 {
            let first = parts.iter().find(|part| !part.is_empty());
            return self.poll_write(cx, first.map_or(&[], |part| part));
        }
        let this = self.get_mut();
        ready!(this.write_garbage(cx))?;
        Pin::new(&mut this.inner).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

const PORTION_EVERY: Duration = Duration::from_millis(100);
