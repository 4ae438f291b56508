//! What the bank prints when it is done.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::ledger::{Ledger, Row};

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
pub fn print(ledger: &Ledger, run: &Run, details: bool) {
    print_accounts(ledger, details);
    print_refusals(ledger, details);
    println!("\nEvents stored: {}", ledger.events);
    print_run(run);
}

fn print_accounts(ledger: &Ledger, details: bool) {
    let closed = ledger.accounts.values().filter(|row| row.closed).count();
    let total: u128 = ledger.accounts.values().map(|row| u128::from(row.cents)).sum();
    let open = ledger.accounts.len() - closed;
    println!("Accounts: {open} open, {closed} closed, {} in all", money(total));
    let mut rows: Vec<(&String, &Row)> = ledger.accounts.iter().collect();
    if !details {
        rows.sort_by_key(|(_, row)| std::cmp::Reverse(row.cents));
        rows.truncate(SHOWN);
    }
    for (account, Row { owner, cents, closed }) in rows {
        let balance = if *closed { "closed".to_owned() } else { money((*cents).into()) };
        println!("  {account:<10} {owner:<24} {balance:>16}");
    }
    if !details && ledger.accounts.len() > SHOWN {
        println!("  and {} more: --details shows them", ledger.accounts.len() - SHOWN);
    }
}

fn print_refusals(ledger: &Ledger, details: bool) {
    println!("\nRefused: {}", ledger.refused.len());
    if details {
        for refused in &ledger.refused {
            println!("  {:<10} {}", refused.instruction, refused.reason);
        }
        return;
    }
    let mut reasons = BTreeMap::<&str, usize>::new();
    for refused in &ledger.refused {
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

fn money(cents: u128) -> String {
    let (units, cents) = ((cents / 100).to_string(), cents % 100);
    let mut grouped = String::new();
    for (at, digit) in units.chars().enumerate() {
        if at > 0 && (units.len() - at) % 3 == 0 {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    format!("{grouped}.{cents:02}")
}
