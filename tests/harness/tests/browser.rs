//! The driver of browsers ends with its value.

use std::net::TcpStream;

use cqrs_test_harness::Browser;

#[test]
fn a_driver_listens_until_it_is_dropped() {
    let browser = Browser::start().unwrap();
    let address = browser.address().trim_start_matches("http://").to_owned();
    TcpStream::connect(&address).unwrap();
    drop(browser);
    assert!(TcpStream::connect(&address).is_err());
}
