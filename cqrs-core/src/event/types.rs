//! Lists of event types, put together and checked while the program is compiled; called by derived code.

use super::EventType;

/// The lists one after the other.
#[doc(hidden)]
pub const fn concatenate<const N: usize>(lists: &[&[EventType]]) -> [EventType; N] {
    let mut all = [EventType::new("", 1); N];
    let mut next = 0;
    let mut list = 0;
    while list < lists.len() {
        let mut index = 0;
        while index < lists[list].len() {
            assert!(
                next < N,
                "a type with type parameters lists too many event types: remove the parameters",
            );
            all[next] = lists[list][index];
            next += 1;
            index += 1;
        }
        list += 1;
    }
    all
}

/// Whether no stored name is in both lists.
#[doc(hidden)]
pub const fn are_apart(a: &[EventType], b: &[EventType]) -> bool {
    let mut i = 0;
    while i < a.len() {
        let mut j = 0;
        while j < b.len() {
            if is_same(a[i].name.as_bytes(), b[j].name.as_bytes()) {
                return false;
            }
            j += 1;
        }
        i += 1;
    }
    true
}

const fn is_same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    // From the end, where names with the same prefix differ.
    let mut left = one.len();
    while left > 0 && one[left - 1] == other[left - 1] {
        left -= 1;
    }
    left == 0
}
