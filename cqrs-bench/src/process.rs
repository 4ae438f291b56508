//! What Linux knows of the memory of this process.

use cqrs::BoxError;

/// The most memory this process has had, in KiB.
///
/// # Errors
/// When the system does not tell.
pub fn peak_kib() -> Result<u64, BoxError> {
    status("VmHWM:")
}

/// The memory it has now, in KiB.
///
/// # Errors
/// When the system does not tell.
pub fn resident_kib() -> Result<u64, BoxError> {
    status("VmRSS:")
}

fn status(name: &str) -> Result<u64, BoxError> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.ok_or_else(|| format!("/proc/self/status does not tell `{name}`"))?.parse()?)
}
