//! What can be done about projections.

use std::error::Error;
use std::fmt::Write as _;
use std::str::FromStr;
use std::time::SystemTime;

use clap::Subcommand;
use cqrs::{Parked, ParkedRequest, ProjectionStatus, Projections, PutInService, StreamId};

use crate::look::{duration, title};

/// What is asked.
#[derive(Subcommand)]
pub enum Request {
    /// List the parked streams, with what went wrong.
    Parked,
    /// Take the events of a parked stream again, from the one that failed.
    Replay { projection: Name, stream: Stream },
    /// Give up the event that failed, for good, and take those behind it.
    Discard { projection: Name, stream: Stream },
    /// Divide the streams of a projection into so many slots.
    Rescale { projection: Name, slots: u32 },
    /// Empty the tables of a projection and have it take all events again.
    Reset { projection: Name },
    /// Put a version that was built beside into service, when it has seen as much as the one in service.
    Promote { projection: Name },
    /// Put a version that was in service before back, as it was left.
    RollBack { projection: Name },
    /// Drop a version that is beside, with its rows.
    Remove { projection: Name },
}

/// A projection, such as `balances`, or a version of it, such as `balances@2`.
#[derive(Clone)]
pub struct Name {
    name: String,
    version: Option<u32>,
}

impl FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((name, version)) = text.rsplit_once('@') else {
            return Ok(Self { name: text.to_owned(), version: None });
        };
        let version = version.parse().map_err(|_| format!("`{version}` is not a version"))?;
        Ok(Self { name: name.to_owned(), version: Some(version) })
    }
}

/// A stream, such as `account/A-1`.
#[derive(Clone)]
pub struct Stream(StreamId);

impl FromStr for Stream {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (category, key) = text.split_once('/').ok_or("write it like `account/A-1`")?;
        StreamId::new(category, key).map(Self).map_err(|error| error.to_string())
    }
}

/// Does what is asked; tells what came of it.
pub async fn carry_out(
    projections: &Projections,
    request: Request,
) -> Result<String, Box<dyn Error>> {
    let all = projections.status().await?;
    let in_service = |name: &Name| choose(&all, name, true);
    let beside = |name: &Name| choose(&all, name, false);
    match request {
        Request::Parked => show_parked(projections, &all).await,
        Request::Replay { projection, stream: Stream(stream) } => {
            let chosen @ (name, version) = in_service(&projection)?;
            eprintln!("waiting for the process that runs {}…", title(chosen));
            projections.replay(name, version, &stream).await?;
            Ok(format!("{} has taken the events of {stream}.", title(chosen)))
        }
        Request::Discard { projection, stream: Stream(stream) } => {
            let chosen @ (name, version) = in_service(&projection)?;
            eprintln!("waiting for the process that runs {}…", title(chosen));
            projections.discard(name, version, &stream).await?;
            Ok(format!("{} goes on without the event of {stream} that failed.", title(chosen)))
        }
        Request::Rescale { projection, slots } => {
            let chosen @ (name, version) = in_service(&projection)?;
            let found = projections.rescale(name, version, slots).await?;
            done(found, chosen, &format!("is being divided into {slots} slots"))
        }
        Request::Reset { projection } => {
            let chosen @ (name, version) = in_service(&projection)?;
            done(projections.reset(name, version).await?, chosen, "begins anew")
        }
        Request::Promote { projection } => {
            let chosen @ (name, version) = beside(&projection)?;
            put(projections.promote(name, version).await?, chosen)
        }
        Request::RollBack { projection } => {
            let chosen @ (name, version) = beside(&projection)?;
            put(projections.roll_back(name, version).await?, chosen)
        }
        Request::Remove { projection } => {
            let chosen @ (name, version) = beside(&projection)?;
            done(projections.remove(name, version).await?, chosen, "is removed")
        }
    }
}

/// The version that is named; else the one in service, or the only one that is not.
fn choose<'a>(
    all: &'a [ProjectionStatus],
    Name { name, version }: &Name,
    in_service: bool,
) -> Result<(&'a str, u32), String> {
    let names: Vec<String> =
        all.iter().map(|status| format!("{}@{}", status.name, status.version)).collect();
    let is_meant = |status: &&ProjectionStatus| {
        let version_is_meant = match version {
            Some(version) => status.version == *version,
            None => status.in_service == in_service,
        };
        status.name == *name && version_is_meant
    };
    let mut meant = all.iter().filter(is_meant).map(|status| (&*status.name, status.version));
    match (meant.next(), meant.next()) {
        (Some(chosen), None) => Ok(chosen),
        (None, _) if names.is_empty() => Err("there are no projections".to_owned()),
        (None, _) => {
            let place = if in_service { "in service" } else { "beside the one in service" };
            let which = version.map_or_else(
                || format!("no version of `{name}` is {place}"),
                |version| format!("there is no `{name}@{version}`"),
            );
            Err(format!("{which}; there are {}", names.join(", ")))
        }
        (Some(_), Some(_)) => Err(format!("say which version of `{name}`: {}", names.join(", "))),
    }
}

fn done(found: bool, chosen: (&str, u32), what: &str) -> Result<String, Box<dyn Error>> {
    // It was there a moment ago.
    if !found {
        return Err(format!("{} is gone, or has changed its place", title(chosen)).into());
    }
    Ok(format!("{} {what}.", title(chosen)))
}

fn put(put: PutInService, chosen: (&str, u32)) -> Result<String, Box<dyn Error>> {
    match put {
        PutInService::Done => {
            done(true, chosen, "is in service; the version before it is kept beside")
        }
        PutInService::Behind(seen, wanted) => Err(format!(
            "{} has seen position {seen} only, the version in service {wanted}: nothing was changed",
            title(chosen)
        )
        .into()),
        PutInService::Missing => done(false, chosen, ""),
    }
}

async fn show_parked(
    projections: &Projections,
    all: &[ProjectionStatus],
) -> Result<String, Box<dyn Error>> {
    let mut text = String::new();
    for projection in all.iter().filter(|projection| projection.parked > 0) {
        writeln!(text, "{}", title((&projection.name, projection.version)))?;
        for parked in projections.parked(&projection.name, projection.version).await? {
            let Parked { stream, version, position, event_type, attempts, .. } = &parked;
            writeln!(text, "  {stream}")?;
            writeln!(text, "    waits at event {version}, `{event_type}`, position {position}")?;
            let since = SystemTime::now().duration_since(parked.since).unwrap_or_default();
            writeln!(text, "    for {}, after {attempts} attempts", duration(since))?;
            writeln!(text, "    {}", parked.error)?;
            match parked.request {
                Some(ParkedRequest::Replay) => writeln!(text, "    to be replayed")?,
                Some(ParkedRequest::Discard) => writeln!(text, "    to be discarded")?,
                None => {}
            }
        }
    }
    if text.is_empty() {
        return Ok("No stream is parked.".to_owned());
    }
    Ok(text.trim_end().to_owned())
}
