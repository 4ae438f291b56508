//! JSON that costs a parser more than it should: too deep, too long, ambiguous, or no JSON at all.

/// Within the limit of nesting, around that of the parser, and far beyond both.
pub(super) const DEPTHS: [usize; 6] = [100, 101, 127, 128, 129, 100_000];

pub(super) fn arrays(depth: usize) -> String {
    format!("{}{}", "[".repeat(depth), "]".repeat(depth))
}

pub(super) fn objects(depth: usize) -> String {
    format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth))
}

/// Values as one may stand in a field, with what they are. Those that are no JSON at all come last.
pub(super) fn values() -> Vec<(String, String)> {
    let mut values: Vec<(String, String)> = Vec::new();
    for depth in DEPTHS {
        values.push((format!("arrays, {depth} deep"), arrays(depth)));
        values.push((format!("objects, {depth} deep"), objects(depth)));
    }
    let digits = "9".repeat(100_000);
    for (what, value) in [
        ("a number of 100 000 digits", digits.clone()),
        ("100 000 digits behind the point", format!("0.{digits}")),
        ("an exponent of 100 000 digits", format!("1e{digits}")),
        ("a negative one", format!("1e-{digits}")),
        ("a text of 3 MB", format!("\"{}\"", "x".repeat(3_000_000))),
        ("300 000 arrays", format!("[{}[]]", "[],".repeat(300_000))),
        (
            "50 000 fields",
            format!(
                "{{{}}}",
                (0..50_000).map(|n| format!("\"{n}\":{n}")).collect::<Vec<_>>().join(",")
            ),
        ),
    ] {
        values.push((what.to_owned(), value));
    }
    values.extend(SHORT.iter().map(|value| ((*value).to_owned(), (*value).to_owned())));
    values
}

const SHORT: &[&str] = &[
    "1e999",
    "-1e999",
    "1e-999",
    "-0.0",
    "-0",
    "18446744073709551616",
    "-9223372036854775809",
    "340282366920938463463374607431768211456",
    "1.7976931348623159e308",
    r#""\ud800""#,
    r#""\udc00""#,
    r#""\udc00\ud800""#,
    r#""\ud800\ud800""#,
    r#""\u0000""#,
    r#"{"\ud800":1}"#,
    r#"{"\u0000":1}"#,
    r#"{"a":1,"a":2}"#,
    r#"{"a":1,"\u0061":2}"#,
    "NaN",
    "Infinity",
    "-Infinity",
    "nan",
    "01",
    "+1",
    ".5",
    "1.",
    "0x10",
    "1_000",
    "'a'",
    "undefined",
    "\u{feff}1",
    "\"a\nb\"",
    "\"\u{1}\"",
    r#""\x41""#,
    r#""\u{41}""#,
    r#""\u00""#,
    "1 /* a */",
    "[1,]",
    r#"{"a":1,}"#,
    r#"{"a"}"#,
    "{a:1}",
    "[",
    "\"",
    "1 2",
    "",
    "   ",
];
