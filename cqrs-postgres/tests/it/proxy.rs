//! A proxy between store and server that understands just enough of the protocol to count messages and to cut the
//! connection at a chosen moment.

use std::sync::{Arc, Mutex};

use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// What tells hints to readers from all else.
const HINT: &[u8] = b"pg_notify";

/// When to cut the connection of the next statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Before the server hears of it.
    BeforeRequest,
    /// After the server has carried it out, before the client hears of that.
    BeforeAnswer,
    /// Never: from the statement on, nothing gets through in either direction, and nobody is told.
    SilenceBeforeRequest,
    /// The same once the server has the statement.
    SilenceBeforeAnswer,
}

pub(crate) struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// Where new connections lead.
    server: Mutex<(String, u16)>,
    /// The kinds of the messages clients have sent, but for hints.
    sent: Mutex<Vec<char>>,
    /// The texts of statements that were sent without parameters.
    statements: Mutex<Vec<String>>,
    /// Whether to act as a pooler that shares sessions.
    pooling: Mutex<bool>,
    next_cut: Mutex<Option<Cut>>,
    /// Whether to close every connection that is opened.
    refusing: Mutex<bool>,
    /// Whether to leave every connection that is opened without an answer.
    swallowing: Mutex<bool>,
    /// What to answer in place of a server that begins no session: an error code, and what it says.
    no_session: Mutex<Option<(&'static str, &'static str)>>,
    /// What forwards the messages of connections, whether or not they are still open.
    forwarding: Mutex<Vec<AbortHandle>>,
    /// How many connections were cut.
    cuts: Mutex<usize>,
}

impl Proxy {
    pub(crate) async fn start(server: &PgConnectOptions) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared::default());
        *shared.server.lock().unwrap() = address(server);
        let accepting = Arc::clone(&shared);
        // Ends with the runtime of the test.
        tokio::spawn(async move {
            let mut swallowed = Vec::new();
            while let Ok((client, _)) = listener.accept().await {
                if *accepting.swallowing.lock().unwrap() {
                    swallowed.push(client);
                } else if !*accepting.refusing.lock().unwrap() {
                    let server = accepting.server.lock().unwrap().clone();
                    let server = TcpStream::connect(server).await.unwrap();
                    client.set_nodelay(true).unwrap();
                    server.set_nodelay(true).unwrap();
                    let no_session = *accepting.no_session.lock().unwrap();
                    if let Some((code, says)) = no_session {
                        tokio::spawn(begin_no_session(client, code, says));
                    } else {
                        forward(client, server, &accepting);
                    }
                }
            }
        });
        Self { port, shared }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Cuts the connection of the next statement that has parameters, once.
    pub(crate) fn cut_next(&self, cut: Cut) {
        *self.shared.next_cut.lock().unwrap() = Some(cut);
    }

    /// From now on, closes every new connection at once.
    pub(crate) fn refuse(&self) {
        *self.shared.refusing.lock().unwrap() = true;
    }

    /// From now on, accepts new connections and leads them nowhere.
    pub(crate) fn swallow(&self) {
        *self.shared.swallowing.lock().unwrap() = true;
    }

    /// From now on, accepts new connections and answers them as a server does that can't begin a session. Those that
    /// are open stay.
    pub(crate) fn begin_no_session(&self, code: &'static str, says: &'static str) {
        *self.shared.no_session.lock().unwrap() = Some((code, says));
    }

    /// From now on, sessions begin again.
    pub(crate) fn begin_sessions(&self) {
        *self.shared.no_session.lock().unwrap() = None;
    }

    /// Ends the sessions there are.
    pub(crate) fn end_sessions(&self) {
        for forwarding in self.shared.forwarding.lock().unwrap().drain(..) {
            forwarding.abort();
        }
    }

    /// From now on, leads new connections to another server.
    pub(crate) fn lead_to(&self, server: &PgConnectOptions) {
        *self.shared.server.lock().unwrap() = address(server);
    }

    /// From now on, keeps settings that clients begin their session with from the server, as a pooler does that hands
    /// out sessions it has begun itself.
    pub(crate) fn pool_sessions(&self) {
        *self.shared.pooling.lock().unwrap() = true;
    }

    /// How many statements without parameters began like this.
    pub(crate) fn statements(&self, beginning: &str) -> usize {
        let statements = self.shared.statements.lock().unwrap();
        statements.iter().filter(|statement| statement.starts_with(beginning)).count()
    }

    pub(crate) fn cuts(&self) -> usize {
        *self.shared.cuts.lock().unwrap()
    }

    /// The kinds of the messages sent since the last call: `P`arse, `B`ind, `E`xecute, `Q`uery …
    pub(crate) fn take_sent(&self) -> Vec<char> {
        std::mem::take(&mut self.shared.sent.lock().unwrap())
    }
}

fn address(server: &PgConnectOptions) -> (String, u16) {
    (server.get_host().to_owned(), server.get_port())
}

fn forward(client: TcpStream, server: TcpStream, shared: &Arc<Shared>) {
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let (cut, cutting) = watch::channel(None);
    let requests = tokio::spawn(requests(from_client, to_server, cut, Arc::clone(shared)));
    let answers = tokio::spawn(answers(from_server, to_client, cutting));
    let mut forwarding = shared.forwarding.lock().unwrap();
    forwarding.extend([requests.abort_handle(), answers.abort_handle()]);
}

/// Hears what a client wants, and refuses it.
async fn begin_no_session(client: TcpStream, code: &str, says: &str) {
    let (mut from_client, mut to_client) = client.into_split();
    let length = from_client.read_u32().await.unwrap_or(4);
    let Ok(_startup) = rest(&mut from_client, length).await else { return };
    let fields = format!("SFATAL\0VFATAL\0C{code}\0M{says}\0\0");
    let mut message = vec![b'E'];
    message.extend(u32::try_from(fields.len() + 4).unwrap().to_be_bytes());
    message.extend(fields.into_bytes());
    // The client may have gone.
    let _ = to_client.write_all(&message).await;
}

async fn requests(
    mut client: OwnedReadHalf,
    mut server: OwnedWriteHalf,
    cut: watch::Sender<Option<Cut>>,
    shared: Arc<Shared>,
) {
    // The first message has no kind.
    let length = client.read_u32().await.unwrap_or(4);
    let Ok(mut startup) = rest(&mut client, length).await else { return };
    if *shared.pooling.lock().unwrap() {
        rename_settings(&mut startup);
    }
    server.write_u32(length).await.unwrap();
    server.write_all(&startup).await.unwrap();
    while let Ok(kind) = client.read_u8().await {
        let Ok(length) = client.read_u32().await else { return };
        let Ok(body) = rest(&mut client, length).await else { return };
        // Hints to readers come when they like.
        if !body.windows(HINT.len()).any(|window| window == HINT) {
            shared.sent.lock().unwrap().push(char::from(kind));
        }
        if kind == b'Q' {
            let statement = String::from_utf8_lossy(&body).into_owned();
            shared.statements.lock().unwrap().push(statement);
        }
        let wanted = if kind == b'B' { shared.next_cut.lock().unwrap().take() } else { None };
        if let Some(wanted) = wanted {
            *shared.cuts.lock().unwrap() += 1;
            cut.send_replace(Some(wanted));
            match wanted {
                Cut::BeforeRequest => return,
                // The connections stay open as long as the test runs.
                Cut::SilenceBeforeRequest => std::future::pending().await,
                Cut::BeforeAnswer | Cut::SilenceBeforeAnswer => {}
            }
        }
        let mut message = vec![kind];
        message.extend(length.to_be_bytes());
        message.extend(body);
        if server.write_all(&message).await.is_err() {
            return;
        }
    }
}

/// Turns settings of the store into others that nobody reads.
fn rename_settings(startup: &mut [u8]) {
    let setting = b"-c cqrs.";
    let found = startup.windows(setting.len()).position(|window| window == setting);
    if let Some(at) = found {
        startup[at + setting.len() - 2] = b'x';
    }
}

async fn answers(
    mut server: OwnedReadHalf,
    mut client: OwnedWriteHalf,
    mut cutting: watch::Receiver<Option<Cut>>,
) {
    loop {
        let kind = tokio::select! {
            kind = server.read_u8() => kind,
            // The client's half is gone or about to go.
            changed = cutting.wait_for(|cut| *cut == Some(Cut::BeforeRequest)) => {
                drop(changed);
                return;
            }
        };
        let Ok(kind) = kind else { return };
        let Ok(length) = server.read_u32().await else { return };
        let Ok(body) = rest(&mut server, length).await else { return };
        if *cutting.borrow() == Some(Cut::BeforeAnswer) {
            // Ready for the next query: the statement is carried out and committed.
            if kind == b'Z' {
                return;
            }
            continue;
        }
        if *cutting.borrow() == Some(Cut::SilenceBeforeAnswer) {
            continue;
        }
        let mut message = vec![kind];
        message.extend(length.to_be_bytes());
        message.extend(body);
        if client.write_all(&message).await.is_err() {
            return;
        }
    }
}

/// The part of a message after its length, which counts itself.
async fn rest(from: &mut OwnedReadHalf, length: u32) -> std::io::Result<Vec<u8>> {
    let mut body = vec![0; length as usize - 4];
    from.read_exact(&mut body).await?;
    Ok(body)
}
