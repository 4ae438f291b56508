//! Kinds of faults.

use std::collections::BTreeSet;
use std::time::Duration;

/// A fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A process is killed with SIGKILL, and started again after a pause.
    Kill(Who, Duration),
    /// A process is stopped with SIGSTOP for a time, most often longer than its leases.
    Freeze(Who, Duration),
    /// A writer runs for a time in which its files may not grow beyond what is written again and again anyway.
    Limit(Who, Duration),
    /// The connections of the next statements are cut.
    Cut(Cut),
    /// All connections are cut.
    CutAll,
    /// Connections can't be made for a time, and those that are open break once something is appended.
    Refuse(Duration),
    /// Nothing gets through for a time, in either direction; what was sent arrives afterwards, or its connection is
    /// cut.
    Silence(Duration, Late),
    /// Messages are late, each by up to so much, for a time.
    Delay(Duration, Duration),
    /// The next statement that moves checkpoints gets through only after a time in which its leases run out.
    Stall(Duration),
    /// The server is killed with SIGKILL, all of its processes at once or the first one alone, and started again after
    /// a pause.
    KillServer(Processes, Duration),
    /// The server is told to stop at once, and started again after a pause.
    StopServer(Duration),
    /// All processes of the server stand still for a time.
    FreezeServer(Duration),
    /// The server ends all sessions.
    EndSessions,
    /// A client takes all connections that the server has, for a time.
    TakeConnections(Duration),
    /// The disk of events and views is full for a time.
    FillDisk(Duration),
    /// A transaction locks the table of events against those who append, or against all, for a time.
    LockEvents(Against, Duration),
    /// A transaction locks the rows of views for a time.
    LockViews(Duration),
    /// A transaction that has written elsewhere is idle for a time.
    Idle(Duration),
    /// An append within a transaction of the application is held open for a time, and then committed or rolled back.
    Hold(Duration, Then),
    /// The same, prepared for a commit in two phases; the server may crash in between.
    Prepare(Duration, Then, Crash),
    /// The clock that leases run out by jumps: all of them have run out, or last longer.
    JumpLeases(Jump),
    /// The streams of a projection are divided into so many slots.
    Rescale(u32),
    /// The log of a SQLite file is written back and cut to nothing.
    Checkpoint,
    /// A transaction that reads stays open for a time.
    HoldRead(Duration),
}

/// A process of the application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// One that sends commands.
    Writer(usize),
    /// One that follows the log.
    Worker(usize),
}

/// How the connections of statements are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// Those of which statements.
    pub of: Of,
    /// At which moment.
    pub when: When,
    /// How many.
    pub count: u32,
}

/// Kinds of statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// Any with parameters.
    Statement,
    /// Those that append events, and commit them at their end.
    Append,
    /// A commit.
    Commit,
}

/// Moments of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Before the server hears of it.
    BeforeRequest,
    /// When the server has half of it.
    MidRequest,
    /// When it is carried out, before the client hears of that.
    BeforeAnswer,
    /// When the client has half of the answer.
    MidAnswer,
}

/// What becomes of what was sent into silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Late {
    /// It arrives.
    Arrives,
    /// It is lost.
    IsLost,
}

/// Which processes of the server are killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Processes {
    /// All of them.
    All,
    /// The first one, so that the others find out and end by themselves.
    First,
}

/// Whom a lock keeps out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Against {
    /// Those who write.
    Writers,
    /// All.
    All,
}

/// How a transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// With a commit.
    Commit,
    /// With a rollback.
    Rollback,
}

/// Whether the server crashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crash {
    /// It does.
    Yes,
    /// It does not.
    No,
}

/// Where the clock of leases jumps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Jump {
    /// Into the future: all leases have run out.
    Ahead,
    /// Into the past: leases last longer.
    Back,
}

/// The kinds of faults, as they are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the faults have the same names and are described there")]
pub enum Kind {
    Kill,
    Freeze,
    Limit,
    Cut,
    CutAll,
    Refuse,
    Silence,
    Delay,
    Stall,
    KillServer,
    StopServer,
    FreezeServer,
    EndSessions,
    TakeConnections,
    FillDisk,
    LockEvents,
    LockViews,
    Idle,
    Hold,
    Prepare,
    JumpLeases,
    Rescale,
    Checkpoint,
    HoldRead,
}

/// Faults that are injected one after the other; those of different lanes overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// Faults of processes of the application.
    Processes,
    /// Faults of the network between them and the database.
    Network,
    /// Faults of the database.
    Database,
}

impl Lane {
    /// All lanes.
    pub const ALL: [Self; 3] = [Self::Processes, Self::Network, Self::Database];
}

impl Kind {
    const PROCESSES: [Self; 3] = [Self::Kill, Self::Freeze, Self::Limit];
    const NETWORK: [Self; 6] =
        [Self::Cut, Self::CutAll, Self::Refuse, Self::Silence, Self::Delay, Self::Stall];
    const POSTGRES: [Self; 13] = [
        Self::KillServer,
        Self::StopServer,
        Self::FreezeServer,
        Self::EndSessions,
        Self::TakeConnections,
        Self::FillDisk,
        Self::LockEvents,
        Self::LockViews,
        Self::Idle,
        Self::Hold,
        Self::Prepare,
        Self::JumpLeases,
        Self::Rescale,
    ];
    const SQLITE: [Self; 6] = [
        Self::FillDisk,
        Self::LockEvents,
        Self::JumpLeases,
        Self::Rescale,
        Self::Checkpoint,
        Self::HoldRead,
    ];

    /// What can be done to processes over PostgreSQL.
    pub fn of_postgres() -> BTreeSet<Self> {
        let processes = [Self::Kill, Self::Freeze];
        processes.into_iter().chain(Self::NETWORK).chain(Self::POSTGRES).collect()
    }

    /// What can be done to processes over a SQLite file.
    pub fn of_sqlite() -> BTreeSet<Self> {
        Self::PROCESSES.into_iter().chain(Self::SQLITE).collect()
    }

    pub(crate) fn lane(self) -> Lane {
        if Self::PROCESSES.contains(&self) {
            Lane::Processes
        } else if Self::NETWORK.contains(&self) {
            Lane::Network
        } else {
            Lane::Database
        }
    }
}

impl Fault {
    /// The kind, as it is counted.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Kill(..) => Kind::Kill,
            Self::Freeze(..) => Kind::Freeze,
            Self::Limit(..) => Kind::Limit,
            Self::Cut(_) => Kind::Cut,
            Self::CutAll => Kind::CutAll,
            Self::Refuse(_) => Kind::Refuse,
            Self::Silence(..) => Kind::Silence,
            Self::Delay(..) => Kind::Delay,
            Self::Stall(_) => Kind::Stall,
            Self::KillServer(..) => Kind::KillServer,
            Self::StopServer(_) => Kind::StopServer,
            Self::FreezeServer(_) => Kind::FreezeServer,
            Self::EndSessions => Kind::EndSessions,
            Self::TakeConnections(_) => Kind::TakeConnections,
            Self::FillDisk(_) => Kind::FillDisk,
            Self::LockEvents(..) => Kind::LockEvents,
            Self::LockViews(_) => Kind::LockViews,
            Self::Idle(_) => Kind::Idle,
            Self::Hold(..) => Kind::Hold,
            Self::Prepare(..) => Kind::Prepare,
            Self::JumpLeases(_) => Kind::JumpLeases,
            Self::Rescale(_) => Kind::Rescale,
            Self::Checkpoint => Kind::Checkpoint,
            Self::HoldRead(_) => Kind::HoldRead,
        }
    }

    /// How long it takes, about.
    pub(crate) fn time(&self) -> Duration {
        match *self {
            Self::Kill(_, time)
            | Self::Freeze(_, time)
            | Self::Limit(_, time)
            | Self::Refuse(time)
            | Self::Silence(time, _)
            | Self::Delay(_, time)
            | Self::Stall(time)
            | Self::FreezeServer(time)
            | Self::TakeConnections(time)
            | Self::FillDisk(time)
            | Self::LockEvents(_, time)
            | Self::LockViews(time)
            | Self::Idle(time)
            | Self::Hold(time, _)
            | Self::Prepare(time, ..)
            | Self::HoldRead(time) => time,
            // A server needs a moment to come back.
            Self::KillServer(_, time) | Self::StopServer(time) => time + Duration::from_millis(500),
            Self::Cut(_)
            | Self::CutAll
            | Self::EndSessions
            | Self::JumpLeases(_)
            | Self::Rescale(_)
            | Self::Checkpoint => Duration::ZERO,
        }
    }
}
