//! A PostgreSQL for tests.
//!
//! One server serves all test processes that run at the same time, since starting one takes a
//! second. Each process holds a shared lock on a lease file. A keeper process waits for the
//! exclusive lock, which it gets when the last test process has ended, even if it was killed,
//! and then stops the server and removes its folder.

use std::{
    fs::File,
    os::unix::{fs::MetadataExt, net::UnixStream, process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use tokio_postgres::NoTls;

/// What a server for tests leaves out: it need not survive the machine, only serve quickly and
/// keep little on the disk.
const SERVER_OPTIONS: &str = "-c listen_addresses='' -c fsync=off -c full_page_writes=off \
     -c max_connections=400 -c shared_buffers=32MB -c autovacuum=off \
     -c wal_level=minimal -c max_wal_senders=0 -c min_wal_size=32MB -c max_wal_size=64MB";

/// Stops the server and removes its folder once nobody has held the lease for a moment: between
/// two tests there may be nobody, and starting anew costs a second. The folder is moved away
/// first, so that the next server need not wait. Its arguments: the lease, the folder, pg_ctl
/// with its user.
const KEEPER: &str = r#"lease=$1; folder=$2; shift 2
exec 9>>"$lease"
while :; do
    flock -x 9
    flock -u 9
    sleep 2
    flock -n -x 9 && break
done
"$@" -D "$folder/data" -m immediate stop
mv "$folder" "$folder.$$"
exec 9>&-
rm -rf "$folder.$$""#;

/// The lease, held as long as this process lives, and the server behind it.
struct Server {
    folder: PathBuf,
    _lease: File,
}

static SERVER: OnceLock<Server> = OnceLock::new();

/// Makes a database; answers its address.
pub(super) async fn new_database() -> String {
    let server = tokio::task::spawn_blocking(|| SERVER.get_or_init(start))
        .await
        .expect("the test server starts");
    let name = format!("test_{:016x}", rand::random::<u64>());
    server
        .execute(&format!("CREATE DATABASE {name} TEMPLATE template0"))
        .await
        .expect("a test database is made");
    server.address(&name)
}

/// Removes a database, whoever is still connected to it: kept to the end of the run, they would
/// take a gigabyte.
pub(super) fn remove_database(location: &str) {
    let Some((server, (_, name))) = SERVER.get().zip(location.rsplit_once('/')) else {
        return;
    };
    let statement = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
    // On a thread of its own: whoever drops a database may be in the middle of a runtime.
    let removed = std::thread::spawn(move || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime")
            .block_on(server.execute(&statement))
    });
    // What is left, the keeper removes with the server.
    let _ = removed.join();
}

impl Server {
    // The host of an address is a folder if it begins with a slash, which is written %2F there.
    fn address(&self, database: &str) -> String {
        let host = self.folder.display().to_string().replace('/', "%2F");
        format!("postgres://postgres@{host}/{database}")
    }

    /// Executes a statement that concerns the whole server.
    async fn execute(&self, statement: &str) -> Result<(), tokio_postgres::Error> {
        let (client, connection) =
            tokio_postgres::connect(&self.address("postgres"), NoTls).await?;
        let driver = tokio::spawn(connection);
        client.batch_execute(statement).await?;
        drop(client);
        driver.await.expect("the connection's task ends")
    }
}

fn start() -> Server {
    let user = std::fs::metadata("/proc/self").map_or(0, |own| own.uid());
    // For root the server runs as another user, who may not enter root's own folders.
    let folders = match user {
        0 => PathBuf::from("/tmp"),
        _ => std::env::temp_dir(),
    };
    let base = folders.join(format!("guildgate-test-postgres-{user}"));
    let lease_path = base.with_extension("lease");
    let lease = File::create(&lease_path).expect("the lease file is made");
    lease.lock_shared().expect("the lease is taken");
    // From here to the end of this process no keeper stops a server. Only one starts it.
    let starting = File::create(base.with_extension("start")).expect("the start lock is made");
    starting.lock().expect("the start lock is taken");

    let folder = base;
    if !folder.join("ready").exists() || !answers(&folder) {
        // What is left of a server that was killed, or of a machine that went down, has nobody
        // to remove it.
        let _ = std::fs::remove_dir_all(&folder);
        let said = folder.with_extension("said");
        let program = |name: &str| as_postgres(user, &programs().join(name));
        make_folder(user, &folder, &said);
        run(
            program("initdb")
                .args(["--no-sync", "-A", "trust", "-U", "postgres", "-E", "UTF8"])
                .arg("--locale=C")
                .arg("-D")
                .arg(folder.join("data")),
            &said,
        );
        run(
            program("pg_ctl")
                .arg("-D")
                .arg(folder.join("data"))
                .arg("-o")
                .arg(format!("{SERVER_OPTIONS} -k {}", folder.display()))
                .args(["-w", "-t", "300", "start"]),
            &said,
        );
        keep(&lease_path, &folder, &program("pg_ctl"));
        File::create(folder.join("ready")).expect("the server is marked as ready");
    }
    Server {
        folder,
        _lease: lease,
    }
}

/// Whether a server takes connections in that folder. Whoever starts one waits until it does.
fn answers(folder: &Path) -> bool {
    UnixStream::connect(folder.join(".s.PGSQL.5432")).is_ok()
}

/// Starts the keeper, on its own.
#[expect(
    clippy::zombie_processes,
    reason = "it outlives this process, which is what it waits for"
)]
fn keep(lease: &Path, folder: &Path, pg_ctl: &Command) {
    Command::new("sh")
        .args(["-c", KEEPER, "keeper"])
        .arg(lease)
        .arg(folder)
        .arg(pg_ctl.get_program())
        .args(pg_ctl.get_args())
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("the keeper of the test server starts");
}

/// PostgreSQL refuses to run as root; its Debian package brings a user for it.
fn as_postgres(user: u32, program: &Path) -> Command {
    let mut command = if user == 0 {
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid=postgres", "--regid=postgres", "--clear-groups"])
            .arg(program);
        command
    } else {
        Command::new(program)
    };
    command.current_dir("/");
    command
}

fn make_folder(user: u32, folder: &Path, said: &Path) {
    let mut command = Command::new("install");
    command.args(["-d", "-m", "700"]);
    if user == 0 {
        command.args(["-o", "postgres", "-g", "postgres"]);
    }
    run(command.arg(folder), said);
}

/// Where PostgreSQL's programs are: on the path, or where Debian puts the newest.
fn programs() -> PathBuf {
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    // Debian leaves initdb and pg_ctl off the path, so look for both.
    let mut folders: Vec<PathBuf> = std::env::split_paths(&on_path).collect();
    if let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") {
        let mut versions: Vec<PathBuf> = versions
            .flatten()
            .map(|version| version.path().join("bin"))
            .collect();
        versions.sort();
        folders.extend(versions.into_iter().rev());
    }
    folders
        .into_iter()
        .find(|folder| folder.join("initdb").exists() && folder.join("pg_ctl").exists())
        .unwrap_or_else(|| {
            panic!(
                "the store's tests need PostgreSQL's initdb and pg_ctl, which are not installed: \
                 run `apt-get install postgresql` (or `./test`, which does)"
            )
        })
}

/// Runs it to its end; what it says goes through the file `said`, since a server that inherits a
/// pipe would hold it open for ever.
fn run(command: &mut Command, said: &Path) {
    let output = File::create(said).expect("a file for what is said");
    let errors = output.try_clone().expect("a second handle");
    let status = command
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .status()
        .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    assert!(
        status.success(),
        "{command:?} failed ({status}) and said:\n{}",
        std::fs::read_to_string(said).unwrap_or_default()
    );
}
