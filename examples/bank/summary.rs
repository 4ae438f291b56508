//! What the bank prints.

use std::collections::BTreeMap;
use std::error::Error;
use std::time::{Duration, SystemTime};

use cqrs::sqlite::sqlx::types::time::OffsetDateTime;

use crate::database::Database;
use crate::views::{Balance, Movement, RefusedInstruction};

/// Accounts shown unless all are asked for.
const SHOWN: usize = 10;

/// What happened in one run.
#[derive(Debug, Default)]
pub struct Run {
    pub done: usize,
    pub refused: usize,
    pub done_before: usize,
    pub bad: usize,
    pub took: Duration,
}

/// Prints what the bank holds and what this run did.
pub async fn print(database: &Database, run: &Run, details: bool) -> Result<(), Box<dyn Error>> {
    print_accounts(database.balances().await?, details);
    print_refusals(&database.refusals().await?, details);
    println!("\nEvents stored: {}", database.events().await?);
    print_run(run);
    Ok(())
}

/// Prints what happened to an account.
pub async fn print_statement(database: &Database, account: &str) -> Result<(), Box<dyn Error>> {
    let Some(Balance { owner, cents, closed, .. }) = database.balance(account).await? else {
        return Err(format!("there is no account {account:?}").into());
    };
    let closed = if closed { ", closed" } else { "" };
    println!("{account}, {owner}: {}{closed}\n", money(cents.into()));
    println!(
        "{:>6}  {:<19}  {:<13}  {:<10}  {:>14}  {:>14}  INSTRUCTION",
        "NUMBER", "TIME (UTC)", "WHAT", "ACCOUNT", "AMOUNT", "BALANCE"
    );
    let mut balance = 0;
    for movement in database.statement(account).await? {
        let Movement { number, kind, cents, counterparty, instruction, .. } = &movement;
        balance += i128::from(*cents);
        let amount = if *cents == 0 { String::new() } else { money((*cents).into()) };
        println!(
            "{number:>6}  {}  {kind:<13}  {:<10}  {amount:>14}  {:>14}  {}",
            moment(movement.time),
            counterparty.as_deref().unwrap_or_default(),
            money(balance),
            instruction.as_deref().unwrap_or_default(),
        );
    }
    Ok(())
}

fn print_accounts(mut balances: Vec<Balance>, details: bool) {
    let all = balances.len();
    let closed = balances.iter().filter(|row| row.closed).count();
    let total: i128 = balances.iter().map(|row| i128::from(row.cents)).sum();
    println!("Accounts: {} open, {closed} closed, {} in all", all - closed, money(total));
    if !details {
        balances.sort_by_key(|row| std::cmp::Reverse(row.cents));
        balances.truncate(SHOWN);
    }
    for Balance { account, owner, cents, closed } in &balances {
        let balance = if *closed { "closed".to_owned() } else { money((*cents).into()) };
        println!("  {account:<10} {owner:<24} {balance:>16}");
    }
    if balances.len() < all {
        println!("  and {} more: --details shows them", all - balances.len());
    }
}

fn print_refusals(refusals: &[RefusedInstruction], details: bool) {
    println!("\nRefused: {}", refusals.len());
    if details {
        for refused in refusals {
            println!("  {:<10} {}", refused.instruction, refused.reason);
        }
        return;
    }
    let mut reasons = BTreeMap::<&str, usize>::new();
    for refused in refusals {
        *reasons.entry(&refused.reason).or_default() += 1;
    }
    let mut reasons: Vec<_> = reasons.into_iter().collect();
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    for (reason, count) in reasons {
        println!("  {count:>6}  {reason}");
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
fn print_run(run: &Run) {
    let handled = run.done + run.refused;
    let rate = handled as f64 / run.took.as_secs_f64().max(f64::EPSILON);
    print!("This run: {} carried out, {} refused", run.done, run.refused);
    if run.done_before > 0 {
        print!(", {} done before", run.done_before);
    }
    if run.bad > 0 {
        print!(", {} bad lines skipped", run.bad);
    }
    match handled {
        0 => println!("; nothing was left to do"),
        _ => println!(", in {:.1} s: {rate:.0} commands a second", run.took.as_secs_f64()),
    }
}

fn money(cents: i128) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    let (units, cents) = ((cents.abs() / 100).to_string(), cents.abs() % 100);
    let mut grouped = String::new();
    for (at, digit) in units.chars().enumerate() {
        if at > 0 && (units.len() - at) % 3 == 0 {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    format!("{sign}{grouped}.{cents:02}")
}

/// To the second, in UTC.
fn moment(time: SystemTime) -> String {
    let time = OffsetDateTime::from(time);
    format!("{} {:02}:{:02}:{:02}", time.date(), time.hour(), time.minute(), time.second())
}
