//! The live page of the example `orders-http`, in a browser.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use cqrs_test_harness::Browser;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

/// A machine with other things to do may need long to start a browser.
const LONG: Duration = Duration::from_mins(2);

/// Between two looks at what is waited for.
const PAUSE: Duration = Duration::from_millis(20);

/// The program, built as part of the workspace if it is not there yet.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let status = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--workspace", "--example", "orders-http"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()
            .unwrap();
        assert!(status.success());
        let own = std::env::current_exe().unwrap();
        let profile = own.ancestors().nth(2).unwrap();
        profile.join("examples/orders-http")
    })
}

/// The service in a process of its own, which ends with the value.
struct Service {
    process: Child,
    address: String,
}

impl Service {
    /// Starts it on this store, at this address; at a free port if it is 0.
    fn start(store: &str, address: &str) -> Self {
        let mut process = Command::new(program())
            .args(["--listen", address, "--store", store])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut said).unwrap();
        let address = said.trim().strip_prefix("listening on http://").map(str::to_owned);
        let mut service = Self { process, address: String::new() };
        service.address = address.unwrap_or_else(|| panic!("{said}"));
        service
    }

    /// Sends a request; returns the body of a response that is none of an error.
    fn send(&self, method: &str, path: &str, body: &Value) -> Value {
        let mut connection = TcpStream::connect(&self.address).unwrap();
        connection.set_read_timeout(Some(LONG)).unwrap();
        let body = body.to_string();
        write!(
            connection,
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        )
        .unwrap();
        let mut response = String::new();
        connection.read_to_string(&mut response).unwrap();
        assert!(response.starts_with("HTTP/1.1 2"), "{method} {path}: {response}");
        serde_json::from_str(response.split_once("\r\n\r\n").unwrap().1).unwrap()
    }

    /// Asks it to stop, as ctrl-c does, and waits until it has.
    async fn interrupt(mut self) -> ExitStatus {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args(["-s", "INT", &id]).status().unwrap().success());
        let ended = async {
            loop {
                if let Some(status) = self.process.try_wait().unwrap() {
                    return status;
                }
                sleep(PAUSE).await;
            }
        };
        timeout(LONG, ended).await.expect("it ends")
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill().and_then(|()| self.process.wait());
    }
}

/// The page in a browser, which ends with the value.
struct Page {
    client: Client,
    _browser: Browser,
}

impl Page {
    async fn open(address: &str) -> Self {
        let browser = Browser::start().unwrap();
        let capabilities = json!({"goog:chromeOptions": {"args": Browser::ARGUMENTS}});
        let opened = async {
            let client = ClientBuilder::new(HttpConnector::new())
                .capabilities(capabilities.as_object().unwrap().clone())
                .connect(browser.address())
                .await
                .unwrap();
            client.goto(&format!("http://{address}/")).await.unwrap();
            client
        };
        let client = timeout(LONG, opened).await.unwrap();
        Self { client, _browser: browser }
    }

    async fn evaluate(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.unwrap()
    }

    /// Waits until the script returns this.
    async fn shows(&self, script: &str, wanted: Value) {
        let mut shown = Value::Null;
        let is_shown = async {
            loop {
                shown = self.evaluate(script).await;
                if shown == wanted {
                    break;
                }
                sleep(PAUSE).await;
            }
        };
        let in_time = timeout(LONG, is_shown).await;
        assert!(in_time.is_ok(), "{wanted} is wanted, not {shown}");
    }

    /// Waits until the table has these rows.
    async fn shows_orders(&self, rows: &[[&str; 6]]) {
        let script = "return Array.from(document.querySelectorAll('#orders tr'), (row) =>
                      Array.from(row.cells, (cell) => cell.textContent))";
        self.shows(script, json!(rows)).await;
    }

    async fn says(&self, id: &str, text: &str) {
        self.shows(&format!("return document.getElementById('{id}').textContent"), json!(text))
            .await;
    }

    async fn click(&self, css: &str) {
        self.client.find(Locator::Css(css)).await.unwrap().click().await.unwrap();
    }

    /// Fills in a form and sends it.
    async fn submit(&self, form: &str, fields: &[(&str, &str)]) {
        for (name, value) in fields {
            let input = format!("#{form} [name={name}]");
            let input = self.client.find(Locator::Css(&input)).await.unwrap();
            input.clear().await.unwrap();
            input.send_keys(value).await.unwrap();
        }
        self.click(&format!("#{form} button")).await;
    }

    /// The same, and waits until the form is empty again, which it is when the service has done what it was asked.
    async fn carry_out(&self, form: &str, fields: &[(&str, &str)]) {
        self.submit(form, fields).await;
        let value = format!("return document.querySelector('#{form} input').value");
        self.shows(&value, json!("")).await;
    }
}

/// A service on an empty store, and its page.
async fn service_and_page() -> (Service, Page, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let (service, page) = service_and_page_of(&store_in(&directory)).await;
    (service, page, directory)
}

async fn service_and_page_of(store: &str) -> (Service, Page) {
    let service = Service::start(store, "127.0.0.1:0");
    let page = Page::open(&service.address).await;
    // From here on, what happens is news.
    page.says("connection", "Live").await;
    (service, page)
}

fn store_in(directory: &TempDir) -> String {
    directory.path().join("orders.db").to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_shows_orders_as_they_change() {
    let (service, page, _directory) = service_and_page().await;
    shows_orders_as_they_change(&service, &page).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_shows_orders_in_postgres_as_they_change() {
    let database = cqrs_test_harness::postgres().unwrap().database("orders").await.unwrap();
    let (service, page) = service_and_page_of(&database.url()).await;
    shows_orders_as_they_change(&service, &page).await;
}

async fn shows_orders_as_they_change(service: &Service, page: &Page) {
    page.shows("return document.getElementById('none').hidden", json!(false)).await;
    page.says("connection", "Live").await;
    // Gone, if the page were loaded anew.
    page.evaluate("window.isSame = true").await;

    service.send("POST", "/stock/tea/deliveries", &json!({"quantity": 10}));
    service.send("PUT", "/orders/o-1", &json!({"customer": "Ada"}));
    page.shows_orders(&[["o-1", "Ada", "", "0.00", "open", "PlaceCancel"]]).await;
    let line = json!({"product": "tea", "quantity": 2, "cents_each": 45_050});
    service.send("POST", "/orders/o-1/lines", &line);
    page.shows_orders(&[["o-1", "Ada", "2 × tea", "901.00", "open", "PlaceCancel"]]).await;
    page.says("news", "order o-1 is open").await;
    service.send("PUT", "/orders/o-2", &json!({"customer": "Bob"}));
    service.send("POST", "/orders/o-1/place", &Value::Null);
    let second = ["o-2", "Bob", "", "0.00", "open", "PlaceCancel"];
    page.shows_orders(&[second, ["o-1", "Ada", "2 × tea", "901.00", "placed", "PayCancel"]]).await;
    service.send("POST", "/orders/o-1/cancel", &json!({"reason": "late"}));
    page.shows_orders(&[second, ["o-1", "Ada", "2 × tea", "901.00", "cancelled", ""]]).await;
    page.shows("return window.isSame", json!(true)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_sends_commands_and_shows_refusals() {
    let (service, page, _directory) = service_and_page().await;
    page.carry_out("start", &[("order", "o-1"), ("customer", "Ada")]).await;
    let line = [("order", "o-1"), ("product", "tea"), ("quantity", "3"), ("price", "4.55")];
    page.carry_out("add", &line).await;
    let row = |status, steps| [["o-1", "Ada", "3 × tea", "13.65", status, steps]];
    page.shows_orders(&row("open", "PlaceCancel")).await;

    page.click("[aria-label='Place order o-1']").await;
    let refused = "The request can't be carried out: only 0 of `tea` are in stock";
    page.says("refusal", refused).await;
    page.carry_out("deliver", &[("product", "tea"), ("quantity", "3")]).await;
    page.says("refusal", "").await;
    for (step, status, next) in
        [("Place", "placed", "PayCancel"), ("Pay", "paid", "Ship"), ("Ship", "shipped", "")]
    {
        page.click(&format!("[aria-label='{step} order o-1']")).await;
        page.shows_orders(&row(status, next)).await;
    }
    assert_eq!(service.send("GET", "/orders/o-1", &Value::Null)["status"], "shipped");

    page.submit("start", &[("order", "o-1"), ("customer", "Bob")]).await;
    let refused = "The request can't be carried out: there is an order with this id already";
    page.says("refusal", refused).await;
    // What was typed is not lost.
    let typed =
        page.evaluate("return document.querySelector('#start [name=customer]').value").await;
    assert_eq!(typed, "Bob");
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_text_stays_text() {
    const HOSTILE: &str = r#"<img src=x onerror="window.isHacked = true">"#;
    let (_service, page, _directory) = service_and_page().await;
    page.carry_out("start", &[("order", HOSTILE), ("customer", HOSTILE)]).await;
    let line = [("order", HOSTILE), ("product", HOSTILE), ("price", "1")];
    page.carry_out("add", &line).await;
    let lines = format!("1 × {HOSTILE}");
    page.shows_orders(&[[HOSTILE, HOSTILE, &lines, "1.00", "open", "PlaceCancel"]]).await;
    page.click("#orders button").await;
    let refused = format!("The request can't be carried out: only 0 of `{HOSTILE}` are in stock");
    page.says("refusal", &refused).await;
    page.says("news", &format!("order {HOSTILE} is open")).await;
    let elements = page.evaluate("return document.getElementsByTagName('img').length").await;
    assert_eq!((elements, page.evaluate("return window.isHacked").await), (json!(0), Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_of_a_browser() {
    let (_service, page, _directory) = service_and_page().await;
    let capabilities = Value::Object(page.client.capabilities().unwrap().clone());
    let listens = capabilities["goog:chromeOptions"]["debuggerAddress"].as_str().unwrap();
    let profile = Path::new(capabilities["chrome"]["userDataDir"].as_str().unwrap());
    assert!(TcpStream::connect(listens).is_ok() && profile.exists());
    drop(page);
    // What is killed takes a moment to end.
    let ended = async {
        while TcpStream::connect(listens).is_ok() || profile.exists() {
            sleep(PAUSE).await;
        }
    };
    timeout(LONG, ended).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_says_that_it_is_disconnected_and_comes_back_with_what_it_has_missed() {
    let (service, page, directory) = service_and_page().await;
    service.send("PUT", "/orders/o-1", &json!({"customer": "Ada"}));
    page.shows_orders(&[["o-1", "Ada", "", "0.00", "open", "PlaceCancel"]]).await;
    page.evaluate("window.isSame = true").await;

    // The stream of the page is open.
    let address = service.address.clone();
    let status = service.interrupt().await;
    assert!(status.success(), "{status}");
    page.says("connection", "Disconnected: what you see may be old. Trying again…").await;

    let service = Service::start(&store_in(&directory), &address);
    service.send("POST", "/orders/o-1/cancel", &json!({"reason": "late"}));
    page.shows_orders(&[["o-1", "Ada", "", "0.00", "cancelled", ""]]).await;
    page.says("connection", "Live").await;
    page.shows("return window.isSame", json!(true)).await;
}
