//! A headless Chromium behind its driver, with a watchdog that ends both.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use crate::{NoServer, apt};

const DRIVER: &str = "chromedriver";

const PACKAGES: &str = "chromium chromium-driver";

/// What the driver says before the port it listens at.
const STARTED: &str = "started successfully on port ";

/// Waits for the end of its input, which comes when the process that holds the other end is gone; then ends the driver
/// and the browsers it has started, which are in its group, and removes the directory, into which those that are about
/// to end may still write.
const WATCHDOG: &str = r#"cat >/dev/null
kill -s KILL -- "-$1" 2>/dev/null
tries=0
until rm -rf "$2" 2>/dev/null || [ $tries -ge 600 ]; do sleep 0.1; tries=$((tries + 1)); done"#;

/// A server that starts headless Chromiums and drives them. When it is dropped, or this process ends in whatever way, they
/// all end, and nothing is left of their files.
#[derive(Debug)]
pub struct Browser {
    address: String,
    driver: Child,
    watchdog: Child,
}

impl Browser {
    /// How Chromium is to be started: without a window and a graphics card, without talking to anybody by itself, and
    /// without a sandbox, which needs what root and many containers do not have.
    pub const ARGUMENTS: [&str; 9] = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
    ];

    /// Starts the driver on a free port; installs it and Chromium first where it is missing and that is possible. Blocks
    /// until it listens.
    ///
    /// # Errors
    /// When it is not there, can't be installed, or does not start; the message says what to do.
    pub fn start() -> Result<Self, NoServer> {
        let program = program()?;
        let directory = tempfile::Builder::new()
            .prefix("cqrs-browser-")
            .tempdir()
            .map_err(|error| failed("making a temporary directory", &error))?;
        let mut driver = Command::new(program)
            .arg("--port=0")
            // Each browser has its profile, and all else it writes, below this directory.
            .env("TMPDIR", directory.path())
            .env("HOME", directory.path())
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| failed("starting the driver", &error))?;
        let watchdog = watch(&driver, directory.path()).inspect_err(|_| {
            let _ = driver.kill().and_then(|()| driver.wait());
        })?;
        // From here on the watchdog removes it.
        let _ = directory.keep();
        let mut browser = Self { address: String::new(), driver, watchdog };
        browser.address = format!("http://127.0.0.1:{}", port(&mut browser.driver)?);
        Ok(browser)
    }

    /// Where the driver listens: the URL of a `WebDriver` server.
    pub fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        drop(self.watchdog.stdin.take());
        let _ = self.watchdog.wait();
        let _ = self.driver.kill().and_then(|()| self.driver.wait());
    }
}

/// Starts the watchdog, whose input stays open as long as this process lives.
fn watch(driver: &Child, directory: &Path) -> Result<Child, NoServer> {
    Command::new("sh")
        .args(["-c", WATCHDOG, "sh", &driver.id().to_string()])
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

/// Reads what the driver says up to the port it listens at.
fn port(driver: &mut Child) -> Result<u16, NoServer> {
    let mut said = String::new();
    // The rest of its output stays in the pipe, which is open as long as it runs.
    let mut output = driver.stdout.as_mut().map(BufReader::new);
    while let Some(Ok(1..)) = output.as_mut().map(|output| output.read_line(&mut said)) {
        let port = said.lines().next_back().and_then(|line| line.split_once(STARTED));
        let digits = port.map(|(_, port)| port.trim().trim_end_matches('.'));
        if let Some(port) = digits.and_then(|digits| digits.parse().ok()) {
            return Ok(port);
        }
    }
    Err(NoServer::new(format!("{DRIVER} did not start:\n{said}")))
}

/// Where the driver is, which is installed first where that is possible; it knows where Chromium is.
fn program() -> Result<PathBuf, NoServer> {
    // Two tests that install the same packages would be in each other's way.
    static INSTALLING: Mutex<()> = Mutex::new(());
    let _installing = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(program) = find() {
        return Ok(program);
    }
    apt::install("", PACKAGES).map_err(|reason| missing(&reason))?;
    find().ok_or_else(|| missing("the packages were installed without it"))
}

fn find() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|directory| directory.join(DRIVER)).find(|path| path.is_file())
}

fn missing(reason: &str) -> NoServer {
    NoServer::new(format!(
        "these tests need Chromium and its {DRIVER}: install them (`apt-get install {PACKAGES}`), or put {DRIVER}, of \
         the version of the Chromium or Chrome that is installed, into the PATH; there is none, and {reason}"
    ))
}

fn failed(what: &str, error: &std::io::Error) -> NoServer {
    NoServer::new(format!("{what} failed: {error}"))
}
