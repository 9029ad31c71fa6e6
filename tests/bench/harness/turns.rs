//! Measures several ways of doing the same thing in turns, so that a disturbance hits all alike.
//!
//! One round measures each way once, every other round in reverse order. Ways are compared round
//! by round: the ratio of two ways is the median of their ratios in all rounds.

use std::time::Instant;

/// What one way cost in each round.
pub type Costs = Vec<f64>;

/// Measures every way once before the rounds, which does not count, and then `rounds` times.
pub fn in_turns(rounds: usize, ways: &mut [&mut dyn FnMut() -> f64]) -> Vec<Costs> {
    let mut costs = vec![Costs::new(); ways.len()];
    for way in ways.iter_mut() {
        way();
    }
    for round in 0..rounds {
        for turn in 0..ways.len() {
            let idx = if round % 2 == 0 {
                turn
            } else {
                ways.len() - 1 - turn
            };
            costs[idx].push(ways[idx]());
        }
    }
    costs
}

/// The time that `work` takes, in seconds.
pub fn seconds(work: impl FnOnce()) -> f64 {
    let began = Instant::now();
    work();
    began.elapsed().as_secs_f64()
}

/// The shortest time of `rounds` tries: for pure computation everything above it is disturbance.
pub fn best_seconds(rounds: usize, mut work: impl FnMut()) -> f64 {
    (0..rounds).fold(f64::INFINITY, |best, _| best.min(seconds(&mut work)))
}

pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = sorted[sorted.len() / 2];
    let lower = sorted[(sorted.len() - 1) / 2];
    f64::midpoint(lower, upper)
}

/// How much `ours` costs for one of `theirs`.
pub fn ratio(ours: &[f64], theirs: &[f64]) -> f64 {
    let ratios: Vec<f64> = ours.iter().zip(theirs).map(|(a, b)| a / b).collect();
    median(&ratios)
}
