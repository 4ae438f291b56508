//! Medians and percentiles.

use std::time::Duration;

use serde::Serialize;

/// Milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Quantiles {
    pub p50: f64,
    pub p99: f64,
    pub max: f64,
}

impl Quantiles {
    pub fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |percent: usize| {
            let index = (times.len() * percent / 100).min(times.len().saturating_sub(1));
            times.get(index).map_or(0.0, |time| time.as_secs_f64() * 1e3)
        };
        Self { p50: at(50), p99: at(99), max: at(100) }
    }
}

/// The middle one, or what is between the two in the middle; not a number where there is none.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

/// The median of the ratios of what was measured in the same rounds.
pub fn ratio(of: &[f64], to: &[f64]) -> f64 {
    median(of.iter().zip(to).map(|(of, to)| of / to).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle_whatever_the_order() {
        assert!(median(vec![9.0, 1.0, 3.0]).total_cmp(&3.0).is_eq());
        assert!(median(vec![4.0, 1.0, 2.0, 9.0]).total_cmp(&3.0).is_eq());
        assert!(median(Vec::new()).is_nan());
    }

    #[test]
    fn ratios_are_those_of_the_rounds() {
        // The medians themselves have a ratio of 1.
        let (ours, other) = ([10.0, 20.0, 30.0], [20.0, 10.0, 30.0]);
        assert!(ratio(&ours, &other).total_cmp(&1.0).is_eq());
        assert!(ratio(&ours, &[5.0, 5.0, 5.0]).total_cmp(&4.0).is_eq());
    }

    #[test]
    fn one_slow_call_in_a_hundred_is_the_99th_percentile() {
        let mut times = vec![Duration::from_millis(1); 99];
        times.push(Duration::from_millis(500));
        let Quantiles { p50, p99, max } = Quantiles::of(times);
        assert!(p50.total_cmp(&1.0).is_eq());
        assert!(p99.total_cmp(&500.0).is_eq());
        assert!(max.total_cmp(&500.0).is_eq());
        assert!(Quantiles::of(Vec::new()).max.total_cmp(&0.0).is_eq());
    }
}
