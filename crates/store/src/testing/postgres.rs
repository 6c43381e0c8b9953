//! A PostgreSQL for tests.
//!
//! One server serves all test processes that run at the same time, since starting one takes a
//! second. Each process holds a shared lock on a lease file. A keeper process waits for the
//! exclusive lock, which it gets when the last test process has ended, even if it was killed,
//! and then stops the server and removes its folder.

use std::{
    fs::File,
    os::unix::{fs::MetadataExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use tokio_postgres::NoTls;

/// What a server for tests leaves out: it need not survive the machine, only serve quickly.
const SERVER_OPTIONS: &str = "-c listen_addresses='' -c fsync=off -c full_page_writes=off \
     -c max_connections=400 -c shared_buffers=32MB -c autovacuum=off";

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
    // The host of an address is a folder if it begins with a slash, which is written %2F there.
    let host = server.folder.display().to_string().replace('/', "%2F");
    let address = |database: &str| format!("postgres://postgres@{host}/{database}");
    let (client, connection) = tokio_postgres::connect(&address("postgres"), NoTls)
        .await
        .expect("the test server answers");
    let driver = tokio::spawn(connection);
    client
        .batch_execute(&format!("CREATE DATABASE {name} TEMPLATE template0"))
        .await
        .expect("a test database is made");
    drop(client);
    driver
        .await
        .expect("the connection's task ends")
        .expect("the connection ends well");
    address(&name)
}

fn start() -> Server {
    let user = std::fs::metadata("/proc/self").map_or(0, |own| own.uid());
    let base = std::env::temp_dir().join(format!("guildgate-test-postgres-{user}"));
    let lease_path = base.with_extension("lease");
    let lease = File::create(&lease_path).expect("the lease file is made");
    lease.lock_shared().expect("the lease is taken");
    // From here to the end of this process nobody stops a server. Only one starts it.
    let starting = File::create(base.with_extension("start")).expect("the start lock is made");
    starting.lock().expect("the start lock is taken");

    let folder = base;
    if !folder.join("ready").exists() {
        // What is left of a machine that went down has nobody to remove it.
        let _ = std::fs::remove_dir_all(&folder);
        let program = |name: &str| as_postgres(user, &programs().join(name));
        make_folder(user, &folder);
        run(program("initdb")
            .args(["--no-sync", "-A", "trust", "-U", "postgres", "-E", "UTF8"])
            .arg("--locale=C")
            .arg("-D")
            .arg(folder.join("data")));
        run(program("pg_ctl")
            .arg("-D")
            .arg(folder.join("data"))
            .arg("-l")
            .arg(folder.join("log"))
            .arg("-o")
            .arg(format!("{SERVER_OPTIONS} -k {}", folder.display()))
            .args(["-w", "-t", "60", "start"]));
        keep(&lease_path, &folder, &program("pg_ctl"));
        File::create(folder.join("ready")).expect("the server is marked as ready");
    }
    Server {
        folder,
        _lease: lease,
    }
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

fn make_folder(user: u32, folder: &Path) {
    let mut command = Command::new("install");
    command.args(["-d", "-m", "700"]);
    if user == 0 {
        command.args(["-o", "postgres", "-g", "postgres"]);
    }
    run(command.arg(folder));
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

fn run(command: &mut Command) {
    // Into files: a server that inherits a pipe would hold it open for ever.
    let status = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    assert!(
        status.success(),
        "{command:?} failed ({status}); run it by hand to see why"
    );
}
