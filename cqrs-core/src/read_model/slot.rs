//! Which slot a stream belongs to.

use crate::stream::StreamId;

/// The slot of a stream, among so many: the FNV-1a hash (64 bits) of category, a NUL byte and key, modulo the number of
/// slots. It is the same on every machine and in every release.
///
/// The hash is that of Fowler, Noll and Vo, <http://www.isthe.com/chongo/tech/comp/fnv/>.
pub fn slot_of(stream: &StreamId, slots: u32) -> u32 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    if slots <= 1 {
        return 0;
    }
    let bytes = stream.category().bytes().chain([0]).chain(stream.key().bytes());
    let hash = bytes.fold(OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME));
    // Below the divisor, which is a `u32`.
    u32::try_from(hash % u64::from(slots)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_stays_in_its_slot_for_ever() {
        let slot = |category: &str, key: &str, slots| {
            slot_of(&StreamId::new(category, key).unwrap(), slots)
        };
        assert_eq!(slot("account", "42", 1), 0);
        // Stored checkpoints rest on these numbers.
        assert_eq!([slot("account", "42", 8), slot("account", "43", 8)], [6, 1]);
        assert_eq!(slot("account", "42", 1_000), 486);
    }

    #[test]
    fn streams_are_spread_evenly() {
        let mut counts = [0_u32; 16];
        for number in 0..16_000 {
            let stream = StreamId::new("account", &number.to_string()).unwrap();
            counts[slot_of(&stream, 16) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (800..1_200).contains(count)), "{counts:?}");
    }
}
