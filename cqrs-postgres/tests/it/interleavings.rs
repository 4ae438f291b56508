//! The fence protocol, checked in all interleavings (G5).
//!
//! A model of it: writers that draw one or two positions each and commit or roll back, and a reader that goes on
//! from where its last page ended. Every order in which their steps may fall is tried. At the end the reader must
//! have seen what was committed: all of it, nothing else, once, in order. And the protocol must be as simple as it
//! can be: each way to leave something of it out has to be caught.

use std::collections::HashSet;

/// One step of a writer's transaction. Between any two of them others may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Step {
    ReadSequence,
    TakeFence,
    Draw,
    /// The outcome shows: to snapshots taken from now on, or never.
    End,
    Release,
}

/// One step of a reader's page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Look {
    ReadSequence,
    ReadFences,
    Snapshot,
    ReadEvents,
}

#[derive(Debug, Clone, Copy)]
struct Protocol {
    writer: &'static [Step],
    reader: &'static [Look],
    /// Whether reading the sequence may show a number higher than the last one drawn.
    sequence_runs_ahead: bool,
}

const PROTOCOL: Protocol = Protocol {
    writer: &[
        Step::ReadSequence,
        Step::TakeFence,
        Step::Draw,
        Step::Draw,
        Step::End,
        Step::Release,
    ],
    reader: &[Look::ReadSequence, Look::ReadFences, Look::Snapshot, Look::ReadEvents],
    sequence_runs_ahead: false,
};

/// Pages the reader reads while writers are at work; one more follows when they have ended.
const PAGES: u8 = 2;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct World {
    last_drawn: u8,
    writers: Vec<Writer>,
    reader: Reader,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Writer {
    next: usize,
    commits: bool,
    read: u8,
    fence: Option<u8>,
    drawn: Vec<u8>,
    ended: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Reader {
    next: usize,
    pages: u8,
    /// At most one event in a page, so that a page may end before the log does.
    short_pages: bool,
    end: u8,
    lowest: Option<u8>,
    snapshot: Vec<u8>,
    /// The highest bound so far, used again as long as it is ahead of the reader.
    known: u8,
    after: u8,
    seen: Vec<u8>,
}

impl World {
    /// The worlds that may come next; none when everything is done.
    fn next(&self, protocol: &Protocol) -> Vec<World> {
        let mut next = Vec::new();
        for index in 0..self.writers.len() {
            if let Some(step) = protocol.writer.get(self.writers[index].next) {
                for shown in self.shown(protocol) {
                    let mut world = self.clone();
                    world.write(index, *step, shown);
                    next.push(world);
                }
            }
        }
        if self.reader.pages < PAGES || (next.is_empty() && self.reader.next > 0) {
            next.extend(self.look(protocol));
        }
        next
    }

    /// What reading the sequence may show now.
    fn shown(&self, protocol: &Protocol) -> Vec<u8> {
        let ahead = protocol.sequence_runs_ahead.then(|| self.last_drawn + 2);
        [self.last_drawn].into_iter().chain(ahead).collect()
    }

    fn write(&mut self, index: usize, step: Step, shown: u8) {
        let writer = &mut self.writers[index];
        writer.next += 1;
        match step {
            Step::ReadSequence => writer.read = shown,
            Step::TakeFence => writer.fence = Some(writer.read),
            Step::Draw => {
                self.last_drawn += 1;
                writer.drawn.push(self.last_drawn);
            }
            Step::End => writer.ended = true,
            Step::Release => writer.fence = None,
        }
    }

    fn look(&self, protocol: &Protocol) -> Vec<World> {
        let mut worlds = Vec::new();
        if self.reader.next == 0 && self.reader.known > self.reader.after {
            let mut world = self.clone();
            world.reader.snapshot = self.visible();
            world.read_page(world.reader.known);
            worlds.push(world);
        }
        for shown in self.shown(protocol) {
            let mut world = self.clone();
            let reader = &mut world.reader;
            let look = protocol.reader[reader.next];
            reader.next += 1;
            match look {
                Look::ReadSequence => reader.end = shown,
                Look::ReadFences => {
                    reader.lowest = self.writers.iter().filter_map(|writer| writer.fence).min();
                }
                Look::Snapshot => reader.snapshot = self.visible(),
                Look::ReadEvents => {
                    let bound = reader.lowest.map_or(reader.end, |lowest| lowest.min(reader.end));
                    world.read_page(bound);
                }
            }
            worlds.push(world);
        }
        worlds
    }

    fn read_page(&mut self, bound: u8) {
        let reader = &mut self.reader;
        let limit = if reader.short_pages { 1 } else { usize::MAX };
        let mut page: Vec<u8> = std::mem::take(&mut reader.snapshot);
        page.retain(|position| (reader.after + 1..=bound).contains(position));
        page.sort_unstable();
        page.truncate(limit);
        reader.known = reader.known.max(bound);
        reader.after = match page.last() {
            Some(last) if page.len() == limit => *last,
            _ => reader.after.max(bound),
        };
        reader.seen.extend(page);
        reader.pages += 1;
        (reader.next, reader.end, reader.lowest) = (0, 0, None);
    }

    fn visible(&self) -> Vec<u8> {
        let ended = self.writers.iter().filter(|writer| writer.ended && writer.commits);
        ended.flat_map(|writer| writer.drawn.iter().copied()).collect()
    }

    /// Reads on to the end once nothing else happens, and compares with what was committed.
    fn reads_all(mut self) -> bool {
        let mut committed = self.visible();
        committed.sort_unstable();
        // One page for each event, and one that finds no more.
        for _ in 0..=committed.len() {
            self.reader.snapshot = self.visible();
            self.read_page(self.last_drawn);
        }
        self.reader.seen == committed
    }
}

/// How many worlds there are, or the first one in which the reader went wrong.
fn check(protocol: &Protocol) -> Result<usize, Box<World>> {
    let mut known = HashSet::new();
    for (commits, short_pages) in [[true, true], [true, false], [false, true], [false, false]]
        .iter()
        .flat_map(|commits| [(commits, true), (commits, false)])
    {
        let writers = commits.map(|commits| Writer {
            next: 0,
            commits,
            read: 0,
            fence: None,
            drawn: Vec::new(),
            ended: false,
        });
        let reader = Reader {
            next: 0,
            pages: 0,
            short_pages,
            end: 0,
            lowest: None,
            snapshot: Vec::new(),
            known: 0,
            after: 0,
            seen: Vec::new(),
        };
        let mut open = vec![World { last_drawn: 0, writers: writers.into(), reader }];
        while let Some(world) = open.pop() {
            if !known.insert(world.clone()) {
                continue;
            }
            let next = world.next(protocol);
            if next.is_empty() && !world.clone().reads_all() {
                return Err(Box::new(world));
            }
            open.extend(next);
        }
    }
    Ok(known.len())
}

#[test]
fn g5_no_interleaving_makes_a_reader_skip_or_repeat_an_event() {
    let worlds = check(&PROTOCOL).unwrap_or_else(|world| panic!("{world:#?}"));
    assert!(worlds > 10_000, "{worlds} worlds are not all interleavings");
}

#[test]
fn g5_every_part_of_the_protocol_is_needed() {
    use Look::{ReadEvents, ReadFences, Snapshot};
    use Step::{Draw, End, ReadSequence, Release, TakeFence};
    let writer = |writer| Protocol { writer, ..PROTOCOL };
    let reader = |reader| Protocol { reader, ..PROTOCOL };
    let wrong = [
        ("no fence", writer(&[Draw, Draw, End][..])),
        ("fence after the draw", writer(&[Draw, ReadSequence, TakeFence, Draw, End, Release])),
        ("fence after the draw of one", writer(&[Draw, ReadSequence, TakeFence, End, Release])),
        (
            "fence released before the outcome shows",
            writer(&[ReadSequence, TakeFence, Draw, Draw, Release, End]),
        ),
        (
            "fences before the sequence",
            reader(&[ReadFences, Look::ReadSequence, Snapshot, ReadEvents][..]),
        ),
        (
            "the snapshot before everything, as in one statement",
            reader(&[Snapshot, Look::ReadSequence, ReadFences, ReadEvents]),
        ),
        (
            "the snapshot before the fences",
            reader(&[Look::ReadSequence, Snapshot, ReadFences, ReadEvents]),
        ),
        ("no look at the fences", reader(&[Look::ReadSequence, Snapshot, ReadEvents])),
        (
            "a sequence that shows numbers not drawn yet",
            Protocol { sequence_runs_ahead: true, ..PROTOCOL },
        ),
    ];
    for (what, protocol) in wrong {
        assert!(check(&protocol).is_err(), "{what}: not caught");
    }
}
