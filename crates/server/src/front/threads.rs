//! The threads on which sockets are accepted and requests are read.

use std::io;

use tokio::{
    net::TcpListener,
    runtime::{Builder, Handle, Runtime},
};

/// Threads of the HTTP side's own: a runtime apart from that on which the rest of the node works.
///
/// Whoever is not let in yet can make as much work here as they like: thousands of tasks that
/// become ready at once when they all come, and when the time of all is up. What Discord says must
/// not queue up behind them. Where both want one processor, the kernel has them take turns.
#[derive(Debug)]
pub struct FrontThreads(Option<Runtime>);

impl FrontThreads {
    /// Starts the threads, one a core.
    ///
    /// # Errors
    /// If the system gives none.
    pub fn start() -> io::Result<FrontThreads> {
        let runtime = Builder::new_multi_thread()
            .enable_all()
            .thread_name("front")
            .build()?;
        Ok(FrontThreads(Some(runtime)))
    }

    /// Where tasks are spawned that are to run on these threads.
    #[must_use]
    pub fn handle(&self) -> &Handle {
        self.0.as_ref().expect("it is there until dropped").handle()
    }

    /// A listener that wakes these threads.
    ///
    /// # Errors
    /// If it cannot be watched.
    pub fn watch(&self, listener: std::net::TcpListener) -> io::Result<TcpListener> {
        listener.set_nonblocking(true)?;
        let _here = self.handle().enter();
        TcpListener::from_std(listener)
    }
}

impl Drop for FrontThreads {
    /// What still runs there is not waited for.
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
