//! The command line, and the wiring behind each command.

mod cli;
mod command;
mod exit;
mod page;
mod signals;
mod sources;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};
use exit::Failure;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    // Before anything else: with two providers compiled in, the first use would panic.
    if rustls::crypto::ring::default_provider()
        .install_default()
        .is_err()
    {
        eprintln!("guildgate: TLS was set up twice; please report this");
        return ExitCode::FAILURE;
    }
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("services")
        .build();
    let done = match runtime {
        Ok(runtime) => {
            let done = runtime.block_on(run(cli.command));
            // What still runs has nothing more to say; waiting for it could take for ever.
            runtime.shutdown_background();
            done
        }
        Err(error) => Err(Failure::other(error)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("guildgate: {failure}");
            failure.code()
        }
    }
}

async fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Demo(arguments) => command::demo::run(arguments).await,
        Command::Serve(arguments) => command::serve::run(arguments).await,
        Command::Simulate(arguments) => command::simulate::run(arguments).await,
        Command::Token(arguments) => command::token::run(arguments).await,
        Command::Check(arguments) => command::check::run(arguments).await,
        Command::Discord(arguments) => command::discord::run(arguments).await,
        Command::Record(arguments) => command::record::run(arguments).await,
        Command::Fault(arguments) => command::fault::run(arguments).await,
    }
}
