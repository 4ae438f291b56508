use cqrs::Upcast;
use serde::Deserialize;

#[derive(Deserialize, Upcast)]
struct Without {}

#[derive(Deserialize, Upcast)]
#[upcast(into = u8, try_into = u8)]
struct Both {}

#[derive(Deserialize, Upcast)]
#[upcast(into = u8, into = u16)]
struct Twice {}

#[derive(Deserialize, Upcast)]
#[upcast(intoo = u8, from = u8, version = 2)]
struct Unknown {}

#[derive(Deserialize, Upcast)]
#[upcast(into)]
struct Empty {}

#[derive(Deserialize, Upcast)]
#[upcast(into = "u8")]
struct Quoted {}

#[derive(Deserialize, Upcast)]
#[upcast]
struct Bare {}

fn main() {}
