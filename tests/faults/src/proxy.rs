//! The network between processes and PostgreSQL: a proxy that understands enough of the protocol to disturb statements
//! at chosen moments.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::faults::{Cut, Late, Of, When};
use crate::random::Random;

/// What tells statements that append from all others.
const APPEND: &[u8] = b"INSERT INTO cqrs.events";

/// What tells statements that move checkpoints.
const MOVE: &[u8] = b"), moved AS (";

/// A proxy on a port of its own; it ends with the runtime.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    network: Arc<Network>,
}

/// What is wrong with the network.
#[derive(Debug)]
struct Network {
    server: SocketAddr,
    weather: watch::Sender<Weather>,
    /// Which connections are to be cut, and how many were.
    cuts: Mutex<(Option<Cut>, u64)>,
    /// By how much the next statement that moves checkpoints is late.
    stall: Mutex<Option<Duration>>,
    random: Mutex<Random>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Weather {
    refusing: bool,
    silent: Option<Late>,
    /// Messages are late by up to so much.
    delay: Duration,
    /// Rises when all connections are cut.
    cut_all: u64,
}

impl Proxy {
    /// Leads to this server.
    ///
    /// # Errors
    /// When there is no port to listen at.
    pub async fn start(server: SocketAddr, seed: u64) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let network = Arc::new(Network {
            server,
            weather: watch::Sender::new(Weather::default()),
            cuts: Mutex::new((None, 0)),
            stall: Mutex::default(),
            random: Mutex::new(Random::of(seed, "network")),
        });
        let accepting = network.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if !accepting.weather.borrow().refusing {
                    tokio::spawn(accepting.clone().connection(client));
                }
            }
        });
        Ok(Self { port, network })
    }

    /// The port that leads to the server.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Cuts the connections of the next statements.
    pub fn cut(&self, cut: Cut) {
        self.network.cuts().0 = Some(cut);
    }

    /// Cuts no more of them.
    pub fn cut_none(&self) {
        self.network.cuts().0 = None;
    }

    /// How many connections were cut at a statement.
    pub fn cuts(&self) -> u64 {
        self.network.cuts().1
    }

    /// Cuts all connections.
    pub fn cut_all(&self) {
        self.network.weather.send_modify(|weather| weather.cut_all += 1);
    }

    /// Whether new connections are refused.
    pub fn refuse(&self, refusing: bool) {
        self.network.weather.send_modify(|weather| weather.refusing = refusing);
    }

    /// Whether nothing gets through.
    pub fn silence(&self, silent: Option<Late>) {
        self.network.weather.send_modify(|weather| weather.silent = silent);
    }

    /// Has messages be late by up to so much.
    pub fn delay(&self, delay: Duration) {
        self.network.weather.send_modify(|weather| weather.delay = delay);
    }

    /// Has the next statement that moves checkpoints be late by so much; none any more, if that is nothing.
    pub fn stall(&self, late: Option<Duration>) {
        *self.network.stall() = late;
    }

    /// Whether there was no such statement yet.
    pub fn is_to_stall(&self) -> bool {
        self.network.stall().is_some()
    }

    /// Nothing is wrong any more.
    pub fn heal(&self) {
        self.cut_none();
        self.stall(None);
        self.network.weather.send_modify(|weather| {
            *weather = Weather { cut_all: weather.cut_all, ..Weather::default() };
        });
    }
}

impl Network {
    fn cuts(&self) -> MutexGuard<'_, (Option<Cut>, u64)> {
        self.cuts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stall(&self) -> MutexGuard<'_, Option<Duration>> {
        self.stall.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn connection(self: Arc<Self>, client: TcpStream) {
        // Where the server is down, the client finds its connection closed.
        let Ok(server) = TcpStream::connect(self.server).await else { return };
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        let (cut, cutting) = watch::channel(None);
        let mut weather = self.weather.subscribe();
        let before = weather.borrow_and_update().cut_all;
        // When one of them ends, both connections are closed.
        tokio::select! {
            _ = self.requests(from_client, to_server, cut) => {}
            _ = self.answers(from_server, to_client, cutting) => {}
            _ = weather.wait_for(|weather| weather.cut_all != before) => {}
        }
    }

    async fn requests(
        &self,
        client: OwnedReadHalf,
        mut server: OwnedWriteHalf,
        cut: watch::Sender<Option<When>>,
    ) -> io::Result<()> {
        let mut client = BufReader::new(client);
        // The first message has no kind.
        let mut startup = Vec::new();
        rest(&mut client, &mut startup).await?;
        server.write_all(&startup).await?;
        let mut message = Vec::new();
        let (mut appends, mut moves) = (BTreeSet::new(), BTreeSet::new());
        loop {
            message.clear();
            message.push(client.read_u8().await?);
            rest(&mut client, &mut message).await?;
            self.pass().await?;
            for (words, names) in [(APPEND, &mut appends), (MOVE, &mut moves)] {
                if message[0] == b'P' && message.windows(words.len()).any(|found| found == words) {
                    names.insert(texts(&message)[0].to_vec());
                }
            }
            if message[0] == b'B' && moves.contains(texts(&message)[1]) {
                let late = self.stall().take();
                if let Some(late) = late {
                    tokio::time::sleep(late).await;
                }
            }
            match self.cut_at(&message, &appends) {
                Some(When::BeforeRequest) => return Ok(()),
                Some(When::MidRequest) => {
                    return server.write_all(&message[..message.len() / 2]).await;
                }
                Some(when) => drop(cut.send_replace(Some(when))),
                None => {}
            }
            server.write_all(&message).await?;
        }
    }

    async fn answers(
        &self,
        server: OwnedReadHalf,
        mut client: OwnedWriteHalf,
        cutting: watch::Receiver<Option<When>>,
    ) -> io::Result<()> {
        let mut server = BufReader::new(server);
        let mut message = Vec::new();
        loop {
            message.clear();
            message.push(server.read_u8().await?);
            rest(&mut server, &mut message).await?;
            self.pass().await?;
            match *cutting.borrow() {
                // Ready for the next query: the statement is carried out and committed.
                Some(When::BeforeAnswer) if message[0] == b'Z' => return Ok(()),
                Some(When::BeforeAnswer) => continue,
                Some(When::MidAnswer) => {
                    message.truncate(message.len() / 2);
                }
                _ => {}
            }
            client.write_all(&message).await?;
            if *cutting.borrow() == Some(When::MidAnswer) {
                return Ok(());
            }
        }
    }

    /// Waits for as long as the network is silent or slow.
    async fn pass(&self) -> io::Result<()> {
        let weather = *self.weather.borrow();
        if !weather.delay.is_zero() {
            let most = u64::try_from(weather.delay.as_micros()).unwrap_or(u64::MAX);
            let late = self.random.lock().unwrap_or_else(PoisonError::into_inner).below(most);
            tokio::time::sleep(Duration::from_micros(late)).await;
        }
        if let Some(late) = weather.silent {
            let mut weather = self.weather.subscribe();
            // The sender is this network's own.
            let _ = weather.wait_for(|weather| weather.silent.is_none()).await;
            if late == Late::IsLost {
                return Err(io::ErrorKind::ConnectionReset.into());
            }
        }
        Ok(())
    }

    /// Whether the connection is to be cut at this message, where these are the names of statements that append.
    fn cut_at(&self, message: &[u8], appends: &BTreeSet<Vec<u8>>) -> Option<When> {
        let mut cuts = self.cuts();
        let (Some(cut), made) = &mut *cuts else { return None };
        let is_meant = match cut.of {
            Of::Statement => message[0] == b'B',
            Of::Append => message[0] == b'B' && appends.contains(texts(message)[1]),
            Of::Commit => message[0] == b'Q' && message[5..].starts_with(b"COMMIT"),
        };
        if !is_meant {
            return None;
        }
        let when = cut.when;
        *made += 1;
        cut.count = cut.count.saturating_sub(1);
        if cut.count == 0 {
            cuts.0 = None;
        }
        Some(when)
    }
}

/// The first two texts of a message: name and SQL of a statement to be prepared, or the names of what is bound.
fn texts(message: &[u8]) -> [&[u8]; 2] {
    let mut texts = message[5..].split(|byte| *byte == 0);
    [texts.next().unwrap_or_default(), texts.next().unwrap_or_default()]
}

/// Adds the part of a message after its kind: the length, which counts itself, and as much as it says.
async fn rest(from: &mut BufReader<OwnedReadHalf>, message: &mut Vec<u8>) -> io::Result<()> {
    let length = from.read_u32().await?;
    message.extend(length.to_be_bytes());
    let body = u64::from(length.saturating_sub(4));
    if from.take(body).read_to_end(message).await? as u64 == body {
        Ok(())
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}
