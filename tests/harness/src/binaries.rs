//! Where the programs of Postgres are, and how to get them where they are not.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::{NoServer, apt};

/// Everything a server needs to run from; other programs are looked for beside these.
const PROGRAMS: [&str; 3] = ["initdb", "pg_ctl", "postgres"];

/// Parents of version directories, each of which has its programs in `bin`.
const VERSIONED: [&str; 4] =
    ["/usr/lib/postgresql", "/usr/local/lib/postgresql", "/opt/homebrew/opt", "/usr/local/opt"];

/// Directories that have the programs themselves.
const PLAIN: [&str; 6] = [
    "/usr/local/pgsql/bin",
    "/usr/local/bin",
    "/usr/lib/postgresql/bin",
    "/usr/libexec/postgresql",
    "/opt/homebrew/bin",
    "/usr/bin",
];

/// Keeps the package from starting a server. An earlier answer of the administrator's to the same question stays.
const START_NO_SERVER: &str = "config=/etc/postgresql-common/createcluster.conf
mkdir -p /etc/postgresql-common
test -e $config || echo 'create_main_cluster = false' > $config";

/// The directory of the programs, which are installed first where that is possible.
pub(crate) fn directory() -> Result<&'static Path, NoServer> {
    static FOUND: OnceLock<Result<PathBuf, NoServer>> = OnceLock::new();
    let found = FOUND.get_or_init(|| {
        if let Some(directory) = find() {
            return Ok(directory);
        }
        apt::install(START_NO_SERVER, "postgresql").map_err(|reason| missing(&reason))?;
        find().ok_or_else(|| missing("the package `postgresql` was installed without them"))
    });
    found.as_deref().map_err(Clone::clone)
}

fn find() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let in_path = std::env::split_paths(&path).collect::<Vec<_>>();
    let plain = PLAIN.iter().map(PathBuf::from);
    let mut candidates = in_path.into_iter().chain(newest_versions()).chain(plain);
    let directory = candidates.find(|directory| is_complete(directory))?;
    // Links to single programs lead to where the others are, such as `pg_dump`.
    let behind_link = directory.join("pg_ctl").canonicalize().ok()?;
    let behind_link = behind_link.parent().filter(|directory| is_complete(directory));
    Some(behind_link.map_or_else(|| directory.clone(), Path::to_path_buf))
}

fn is_complete(directory: &Path) -> bool {
    PROGRAMS.iter().all(|program| directory.join(program).is_file())
}

/// The `bin` directories of all versions installed side by side, newest first.
fn newest_versions() -> Vec<PathBuf> {
    let mut versions = Vec::new();
    for parent in VERSIONED {
        for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            // `15` on Debian, `postgresql@15` with Homebrew.
            let number = name.strip_prefix("postgresql@").unwrap_or(&name);
            if let Ok(version) = number.parse::<u32>() {
                versions.push((version, entry.path().join("bin")));
            }
        }
    }
    versions.sort();
    versions.into_iter().rev().map(|(_, path)| path).collect()
}

fn missing(reason: &str) -> NoServer {
    NoServer::new(format!(
        "these tests need PostgreSQL 13 or later: set DATABASE_URL to a server on which databases may be created, \
         or install the server programs (`apt-get install postgresql`, `brew install postgresql`, or put initdb, \
         pg_ctl and postgres into the PATH); none were found, and {reason}"
    ))
}
