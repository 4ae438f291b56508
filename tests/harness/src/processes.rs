//! What the system knows of processes.

use std::io;
use std::process::Command;

/// A process as the system lists it.
struct Listed {
    id: u32,
    parent: u32,
    is_dead: bool,
}

/// The processes that this one has started and that have not ended.
pub(crate) fn children(parent: u32) -> io::Result<Vec<u32>> {
    let listed = listed()?;
    let of_parent = listed.iter().filter(|process| process.parent == parent && !process.is_dead);
    Ok(of_parent.map(|process| process.id).collect())
}

/// Whether a process has ended, also where it is still listed because nobody has waited for it.
pub(crate) fn is_dead(id: u32) -> bool {
    listed().is_ok_and(|listed| {
        listed.iter().find(|process| process.id == id).is_none_or(|process| process.is_dead)
    })
}

/// From `/proc` where that is there, as `ps` may not be installed; from `ps` elsewhere.
fn listed() -> io::Result<Vec<Listed>> {
    if let Ok(entries) = std::fs::read_dir("/proc") {
        let stats = entries.flatten().map(|entry| entry.path().join("stat"));
        let listed: Vec<_> =
            stats.filter_map(|stat| from_proc(&std::fs::read_to_string(stat).ok()?)).collect();
        if !listed.is_empty() {
            return Ok(listed);
        }
    }
    let output = Command::new("ps").args(["-A", "-o", "pid=,ppid=,state="]).output()?;
    Ok(String::from_utf8_lossy(&output.stdout).lines().filter_map(from_ps).collect())
}

/// `12 (name) S 1 …`, where the name may hold anything.
fn from_proc(stat: &str) -> Option<Listed> {
    let id = stat.split(' ').next()?.parse().ok()?;
    let mut rest = stat.rsplit_once(") ")?.1.split(' ');
    let is_dead = matches!(rest.next()?, "Z" | "X");
    Some(Listed { id, parent: rest.next()?.parse().ok()?, is_dead })
}

fn from_ps(line: &str) -> Option<Listed> {
    let mut words = line.split_whitespace();
    let (id, parent) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    Some(Listed { id, parent, is_dead: words.next()?.starts_with('Z') })
}
