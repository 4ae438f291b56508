//! A disk that can be full: a small file system in memory, which takes the right to mount.

use std::io;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// More than a long round needs. Only what is stored takes memory.
const SIZE: &str = "8g";

/// Waits for the end of its input, which comes when the process that holds the other end is gone. The server that has
/// files there may take a moment to end.
const WATCHDOG: &str = r#"cat >/dev/null
tries=0
until umount "$0" 2>/dev/null || [ $tries -ge 100 ]; do sleep 0.1; tries=$((tries + 1)); done
rmdir "$0""#;

/// A file system of its own. When it is dropped, or this process ends in whatever way, it is unmounted.
#[derive(Debug)]
pub struct Disk {
    path: PathBuf,
    watchdog: Child,
}

impl Disk {
    /// Mounts it.
    ///
    /// # Errors
    /// When that is not allowed, or not possible on this system.
    pub fn mount() -> io::Result<Self> {
        let path = tempfile::Builder::new().prefix("cqrs-faults-disk-").tempdir()?.keep();
        let options = format!("size={SIZE}");
        let mounted =
            run(Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&path));
        if let Err(error) = mounted {
            let _ = std::fs::remove_dir(&path);
            return Err(error);
        }
        let watchdog = Command::new("sh")
            .args(["-c", WATCHDOG])
            .arg(&path)
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self { path, watchdog })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives it to the owner of another directory.
    ///
    /// # Errors
    /// When that is not there.
    pub fn give_to_owner_of(&self, other: &Path) -> io::Result<()> {
        let owner = std::fs::metadata(other)?;
        chown(&self.path, Some(owner.uid()), Some(owner.gid()))
    }

    /// From now on, there is no room but for what is there.
    ///
    /// # Errors
    /// When the system does not let us.
    pub fn fill(&self) -> io::Result<()> {
        // What is written meanwhile makes the size too small, which is refused.
        let mut refused = Ok(());
        for _ in 0..50 {
            let used = run(Command::new("df").args(["-k", "-P"]).arg(&self.path))?;
            let used = used.lines().nth(1).and_then(|line| line.split_whitespace().nth(2));
            let used: u64 = used
                .and_then(|used| used.parse().ok())
                .ok_or_else(|| io::Error::other("df does not tell how much is used"))?;
            refused = self.resize(&format!("{}k", used + 16));
            if refused.is_ok() {
                break;
            }
        }
        refused
    }

    /// There is room again.
    ///
    /// # Errors
    /// When the system does not let us.
    pub fn free(&self) -> io::Result<()> {
        self.resize(SIZE)
    }

    fn resize(&self, size: &str) -> io::Result<()> {
        let options = format!("remount,size={size}");
        run(Command::new("mount").args(["-o", &options]).arg(&self.path)).map(|_| ())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(self.watchdog.stdin.take());
        let _ = self.watchdog.wait();
    }
}

fn run(command: &mut Command) -> io::Result<String> {
    let output = command.stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(said.lines().next().unwrap_or_default().to_owned()))
}
