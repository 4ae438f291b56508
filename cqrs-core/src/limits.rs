//! What a store accepts: sizes beyond these are refused with a clear error before anything is stored (G13). And how much
//! it gives at once.

/// Longest category of a stream, in bytes.
pub const MAX_CATEGORY_BYTES: usize = 64;

/// Longest key of a stream, in bytes. Category and key together fit an index entry of every store.
pub const MAX_KEY_BYTES: usize = 512;

/// Longest name of an event type, in bytes.
pub const MAX_EVENT_TYPE_BYTES: usize = 128;

/// Largest payload of one event, in bytes of JSON.
pub const MAX_PAYLOAD_BYTES: usize = 4 * 1024 * 1024;

/// Largest actor, tenant and extra entries of one event's metadata together, in bytes.
pub const MAX_METADATA_BYTES: usize = 16 * 1024;

/// Most events of one append.
pub const MAX_EVENTS_PER_APPEND: usize = 10_000;

/// Largest total of the payloads of one append, in bytes of JSON.
pub const MAX_APPEND_BYTES: usize = 64 * 1024 * 1024;

/// Deepest nesting of arrays and objects in a payload. Deeper documents could be written but not read back:
/// `serde_json` stops at 128 levels when parsing.
pub const MAX_PAYLOAD_DEPTH: usize = 100;

/// Largest position of the log. It leaves 16 bits of a 64-bit key free, which the Postgres store needs for its
/// append fence; at 100 000 events a second it is reached after 89 years.
pub const MAX_POSITION: u64 = (1 << 48) - 1;

/// Most bytes of payload that a page of the log holds beyond its first event, however many events are asked for: what a
/// reader of the log needs of memory follows from it.
pub const MAX_PAGE_BYTES: usize = 8 * 1024 * 1024;

/// Bytes of payload from which on a page of the log takes no further event. Up to there the next one fits, whatever its
/// size: a store need not look at it first.
pub const FULL_PAGE_BYTES: usize = MAX_PAGE_BYTES - MAX_PAYLOAD_BYTES;
