//! The processes of the application, as their parent sees them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::child::{ARGUMENT, Job, Role};
use crate::faults::Who;

/// Sets a limit in blocks to the files that a program writes, which then sees errors instead of a signal.
const LIMITED: &str = r#"trap "" XFSZ; ulimit -f "$0"; exec "$@""#;

/// All processes that were started and have not been ended. When it is dropped, they are killed.
#[derive(Debug)]
pub struct Fleet {
    binary: PathBuf,
    /// What all of them do; role, number and life are those of each.
    job: Job,
    processes: Mutex<Processes>,
}

#[derive(Debug, Default)]
struct Processes {
    running: BTreeMap<(bool, usize), Process>,
    lives: BTreeMap<(bool, usize), u32>,
    /// What went wrong with them.
    troubles: Vec<String>,
}

#[derive(Debug)]
struct Process {
    name: String,
    child: Child,
}

fn key(who: Who) -> (bool, usize) {
    match who {
        Who::Writer(number) => (true, number),
        Who::Worker(number) => (false, number),
    }
}

impl Fleet {
    /// No processes yet. They run `binary`, and do the same as `job` but for role, number and life.
    pub fn new(binary: PathBuf, job: Job) -> Self {
        Self { binary, job, processes: Mutex::default() }
    }

    fn processes(&self) -> MutexGuard<'_, Processes> {
        self.processes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a process; its files may not grow beyond `limit` kilobytes, if there is one.
    ///
    /// # Errors
    /// When the system does not let us.
    pub fn start(&self, who: Who, limit: Option<u64>) -> io::Result<()> {
        let role = match who {
            Who::Writer(_) => Role::Writer,
            Who::Worker(_) => Role::Worker,
        };
        self.start_as(who, role, limit)
    }

    /// Starts a process that only brings to an end what a writer has begun.
    ///
    /// # Errors
    /// When the system does not let us.
    pub fn start_drain(&self, number: usize) -> io::Result<()> {
        self.start_as(Who::Writer(number), Role::Drain, None)
    }

    fn start_as(&self, who: Who, role: Role, limit: Option<u64>) -> io::Result<()> {
        let mut processes = self.processes();
        let life = processes.lives.entry(key(who)).or_default();
        *life += 1;
        let job = Job { role, number: key(who).1, life: *life, ..self.job.clone() };
        let name = job.name();
        let mut command = match limit {
            None => Command::new(&self.binary),
            Some(kilobytes) => {
                let mut command = Command::new("sh");
                // Blocks of 512 bytes.
                command.args(["-c", LIMITED, &(kilobytes * 2).to_string()]).arg(&self.binary);
                command
            }
        };
        let said = File::create(job.folder.join(format!("{name}.err")))?;
        let child = command
            .args([ARGUMENT, &serde_json::to_string(&job)?])
            .env("RUST_BACKTRACE", "0")
            // An interrupt from the terminal is for the parent; and where that ends while a process stands still, the
            // system ends the group.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(said)
            .spawn()?;
        processes.running.insert(key(who), Process { name, child });
        Ok(())
    }

    /// Kills a process.
    pub fn kill(&self, who: Who) {
        let mut processes = self.processes();
        let Some(mut process) = processes.running.remove(&key(who)) else { return };
        if let Ok(Some(status)) = process.child.try_wait() {
            processes.troubles.push(format!("{} has ended by itself: {status}", process.name));
        }
        let _ = process.child.kill();
        let _ = process.child.wait();
    }

    /// The process id of a process.
    ///
    /// # Errors
    /// When there is none.
    pub fn id(&self, who: Who) -> io::Result<u32> {
        let processes = self.processes();
        let process = processes.running.get(&key(who)).map(|process| process.child.id());
        process.ok_or_else(|| io::Error::other(format!("{who:?} does not run")))
    }

    /// Asks a process to come to its end, and waits for that.
    pub async fn stop(&self, who: Who, patience: Duration) {
        let asked = {
            let mut processes = self.processes();
            let running = processes.running.get_mut(&key(who));
            let input = running.and_then(|process| process.child.stdin.as_mut());
            input.is_some_and(|input| input.write_all(b"stop\n").is_ok())
        };
        self.wait(who, if asked { patience } else { Duration::ZERO }).await;
    }

    /// Waits for the end of a process, which is killed if it takes too long.
    pub async fn wait(&self, who: Who, patience: Duration) {
        let until = Instant::now() + patience;
        loop {
            {
                let mut processes = self.processes();
                let Some(process) = processes.running.get_mut(&key(who)) else { return };
                match process.child.try_wait() {
                    Ok(Some(status)) => {
                        if !status.success() {
                            let trouble = format!("{} has ended with {status}", process.name);
                            processes.troubles.push(trouble);
                        }
                        processes.running.remove(&key(who));
                        return;
                    }
                    _ if Instant::now() >= until => {
                        let trouble = format!("{} has not ended within {patience:?}", process.name);
                        processes.troubles.push(trouble);
                        break;
                    }
                    _ => {}
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.kill(who);
    }

    /// What went wrong with processes, with the last lines they said.
    pub fn troubles(&self) -> Vec<String> {
        let mut processes = self.processes();
        std::mem::take(&mut processes.troubles)
            .into_iter()
            .map(|trouble| {
                let name = trouble.split(' ').next().unwrap_or_default();
                let said = std::fs::read_to_string(self.job.folder.join(format!("{name}.err")));
                let said = said.unwrap_or_default();
                let lines: Vec<&str> = said.lines().rev().take(5).collect();
                let said: Vec<&str> = lines.into_iter().rev().collect();
                format!("{trouble}: {}", said.join(" / "))
            })
            .collect()
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for process in self.processes().running.values_mut() {
            let _ = process.child.kill();
            let _ = process.child.wait();
        }
    }
}

/// Sends a signal to processes, all at once.
///
/// # Errors
/// When one of them is gone, or the system does not let us.
pub fn send_signal(signal: &str, processes: &[u32]) -> io::Result<()> {
    let mut command = Command::new("sh");
    command.args(["-c", r#"kill -s "$0" "$@""#, signal]);
    let output = command.args(processes.iter().map(u32::to_string)).output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}
