//! Installs packages of Debian and its kin, where that is allowed.

use std::process::Command;

use crate::cluster::runs_as_root;

/// What every script begins with.
const BEGINNING: &str = "set -e
export DEBIAN_FRONTEND=noninteractive
";

/// What every script ends with, before the names of the packages.
const INSTALL: &str = "
apt-get update -q
apt-get install -q -y --no-install-recommends \
  -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold";

/// Runs the commands in `before`, as root, and then installs the packages.
///
/// # Errors
/// Why that is not possible, or did not work.
pub(crate) fn install(before: &str, packages: &str) -> Result<(), String> {
    if !succeeds(Command::new("apt-get").arg("--version")) {
        return Err("this system has no apt-get to install them with".to_owned());
    }
    let mut command = if runs_as_root() {
        Command::new("sh")
    } else if succeeds(Command::new("sudo").args(["-n", "true"])) {
        let mut sudo = Command::new("sudo");
        sudo.args(["-n", "sh"]);
        sudo
    } else {
        return Err("installing them needs root or sudo without a password".to_owned());
    };
    let script = format!("{BEGINNING}{before}{INSTALL} {packages}");
    let output = command.arg("-c").arg(script).output();
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            Err(format!("installing them failed:\n{}", String::from_utf8_lossy(&output.stderr)))
        }
        Err(error) => Err(format!("installing them failed: {error}")),
    }
}

fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}
