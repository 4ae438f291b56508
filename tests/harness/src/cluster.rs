//! A database cluster in a temporary directory, with a watchdog that removes it.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::{NoServer, binaries, processes};

/// Small, but with everything on that durability depends on.
const SETTINGS: &str = "
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
shared_buffers = 32MB
max_connections = 200
max_prepared_transactions = 10
fsync = on
synchronous_commit = on
logging_collector = off
";

/// Waits for the end of its input, which comes when the process that holds the other end is gone; then stops the
/// server as a crash would and removes the directory. The server takes its pid file away when it ends; the process
/// itself may stay listed for long, as some containers have nobody who waits for orphans.
const WATCHDOG: &str = r#"cat >/dev/null
file=$1/data/postmaster.pid
if pid=$(head -n 1 "$file" 2>/dev/null); then
  kill -QUIT "$pid" 2>/dev/null
  tries=0
  while [ -e "$file" ] && [ $tries -lt 600 ]; do sleep 0.1; tries=$((tries + 1)); done
fi
rm -rf "$1""#;

/// How often starting is tried: another process may take the port between our choice and the server's start.
const ATTEMPTS: u32 = 5;

/// For how long starting again is tried, where the port has to stay: another process may have it for a while.
const RESTARTS: Duration = Duration::from_mins(1);

/// A running cluster; dropping it stops the server and removes its files.
#[derive(Debug)]
pub(crate) struct Cluster {
    directory: PathBuf,
    port: u16,
    user: Option<User>,
    watchdog: Child,
}

/// The user a server runs as in place of root, as which it refuses to run.
#[derive(Debug, Clone, Copy)]
struct User {
    uid: u32,
    gid: u32,
}

impl Cluster {
    /// Starts a server with these lines at the end of its settings.
    pub(crate) fn start(settings: &str) -> Result<Self, NoServer> {
        Self::start_with(|cluster| cluster.initialize(settings))
    }

    /// Starts a server that follows this one.
    pub(crate) fn start_replica(&self) -> Result<Self, NoServer> {
        Self::start_with(|replica| {
            replica.take_directory()?;
            replica.run("pg_basebackup", |command| {
                command.args(["--username=postgres", "--host=127.0.0.1", "--write-recovery-conf"]);
                command.args([
                    "--checkpoint=fast",
                    "--no-sync",
                    "-p",
                    &self.port.to_string(),
                    "-D",
                ]);
                command.arg(replica.data());
            })
        })
    }

    fn start_with(fill: impl FnOnce(&Self) -> Result<(), NoServer>) -> Result<Self, NoServer> {
        let user = if runs_as_root() { Some(unprivileged_user()?) } else { None };
        let directory = tempfile::Builder::new()
            .prefix("cqrs-postgres-")
            .tempdir()
            .map_err(|error| failed("making a temporary directory", &error))?
            // From here on the watchdog removes it.
            .keep();
        let watchdog = watch(&directory)?;
        let mut cluster = Self { directory, port: 0, user, watchdog };
        fill(&cluster)?;
        for attempt in 1.. {
            cluster.port = free_port()?;
            match cluster.launch() {
                Ok(()) => break,
                Err(error) if attempt == ATTEMPTS => return Err(error),
                Err(_) => {}
            }
        }
        Ok(cluster)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn kill(&self) -> Result<(), NoServer> {
        self.run("pg_ctl", |command| {
            command.args(["stop", "-w", "-m", "immediate", "-D"]);
            command.arg(self.data());
        })
    }

    /// The first process of the server, and those it has started.
    pub(crate) fn processes(&self) -> Result<Vec<u32>, NoServer> {
        let first = self.first_process().ok_or_else(|| NoServer::new("the server does not run"))?;
        let mut processes = vec![first];
        processes.extend(processes::children(first).map_err(|error| failed("ps", &error))?);
        Ok(processes)
    }

    fn first_process(&self) -> Option<u32> {
        let file = std::fs::read_to_string(self.pid_file()).ok()?;
        file.lines().next()?.trim().parse().ok()
    }

    fn pid_file(&self) -> PathBuf {
        self.data().join("postmaster.pid")
    }

    /// The address is known to clients, so the port must stay: wait for it where it is not free yet.
    pub(crate) fn restart(&self) -> Result<(), NoServer> {
        // A server that was killed has left the file. One that nobody waits for stays listed, and passes for alive.
        if self.first_process().is_some_and(processes::is_dead) {
            let _ = std::fs::remove_file(self.pid_file());
        }
        let begun = Instant::now();
        loop {
            match self.launch() {
                Ok(()) => return Ok(()),
                Err(error) if begun.elapsed() > RESTARTS => return Err(error),
                Err(_) => std::thread::sleep(Duration::from_millis(500)),
            }
        }
    }

    /// Gives the directory to the user the server runs as.
    fn take_directory(&self) -> Result<(), NoServer> {
        match self.user {
            Some(User { uid, gid }) => chown(&self.directory, Some(uid), Some(gid))
                .map_err(|error| failed("giving the temporary directory away", &error)),
            None => Ok(()),
        }
    }

    fn initialize(&self, settings: &str) -> Result<(), NoServer> {
        self.take_directory()?;
        self.run("initdb", |command| {
            command.args(["--username=postgres", "--auth=trust", "--encoding=UTF8"]);
            command.args(["--no-locale", "--no-sync", "-D"]);
            command.arg(self.data());
        })?;
        OpenOptions::new()
            .append(true)
            .open(self.data().join("postgresql.conf"))
            .and_then(|mut file| write!(file, "{SETTINGS}{settings}"))
            .map_err(|error| failed("writing postgresql.conf", &error))
    }

    /// Starts the server and waits until it answers. `pg_ctl` puts it into a session of its own, so that an
    /// interrupt meant for the tests does not reach it before the watchdog does.
    fn launch(&self) -> Result<(), NoServer> {
        let log = self.directory.join("log");
        let result = self.run("pg_ctl", |command| {
            command.args(["start", "-w", "-t", "60", "-D"]).arg(self.data());
            command.arg("-l").arg(&log);
            command.arg("-o").arg(format!("-p {}", self.port));
        });
        result.map_err(|NoServer(mut message)| {
            let log = std::fs::read_to_string(log).unwrap_or_default();
            let _ = write!(message, "\n{log}");
            NoServer(message)
        })
    }

    fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    fn run(&self, program: &str, arguments: impl FnOnce(&mut Command)) -> Result<(), NoServer> {
        let mut command = Command::new(binaries::directory()?.join(program));
        // The directory the tests run in may be closed to the user the server runs as.
        command.current_dir(&self.directory);
        if let Some(User { uid, gid }) = self.user {
            command.uid(uid).gid(gid);
        }
        arguments(&mut command);
        let output =
            command.stdin(Stdio::null()).output().map_err(|error| failed(program, &error))?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(NoServer::new(format!("{program} failed: {said}")))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.watchdog.stdin.take());
        let _ = self.watchdog.wait();
    }
}

pub(crate) fn runs_as_root() -> bool {
    // The files of a process in /proc belong to the user it acts as; without /proc `id` knows.
    match std::fs::metadata("/proc/self") {
        Ok(metadata) => metadata.uid() == 0,
        Err(_) => id("-u", None) == Some(0),
    }
}

fn unprivileged_user() -> Result<User, NoServer> {
    for name in ["postgres", "nobody"] {
        if let (Some(uid), Some(gid)) = (id("-u", Some(name)), id("-g", Some(name))) {
            return Ok(User { uid, gid });
        }
    }
    Err(NoServer::new(
        "PostgreSQL does not run as root, and there is no user `postgres` or `nobody` to run it as",
    ))
}

fn id(option: &str, user: Option<&str>) -> Option<u32> {
    let output = Command::new("id").arg(option).args(user).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

/// Starts the watchdog, whose input stays open as long as this process lives.
fn watch(directory: &Path) -> Result<Child, NoServer> {
    Command::new("sh")
        .args(["-c", WATCHDOG, "sh"])
        .arg(directory)
        .current_dir("/")
        // An interrupt from the terminal goes to a whole group, and the watchdog is to outlive it.
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| failed("starting the watchdog", &error))
}

fn free_port() -> Result<u16, NoServer> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| failed("finding a free port", &error))
}

fn failed(what: &str, error: &std::io::Error) -> NoServer {
    NoServer::new(format!("{what} failed: {error}"))
}
