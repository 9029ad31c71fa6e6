//! One row of the Markdown table for each measurement, printed as soon as it is known.
//!
//! `run.sh` prints the heading. A row says what was done, on what, what it cost here and in what
//! it is compared with, the ratio or the value with its bound, and whether the bound is met.

use std::fmt;

/// What a ratio or a value must be.
#[derive(Debug, Clone, Copy)]
pub enum Bound {
    AtMost(f64),
    AtLeast(f64),
    /// It is only told.
    Unbound,
}

impl Bound {
    fn verdict(self, value: f64) -> &'static str {
        let met = match self {
            Bound::AtMost(bound) => value <= bound,
            Bound::AtLeast(bound) => bound <= value,
            Bound::Unbound => return "",
        };
        if met { "met" } else { "missed" }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bound::AtMost(bound) => write!(f, "<= {}", figures(*bound)),
            Bound::AtLeast(bound) => write!(f, ">= {}", figures(*bound)),
            Bound::Unbound => Ok(()),
        }
    }
}

/// Tells a ratio, and the two costs it comes from with their unit.
pub fn ratio(work: &str, on: &str, ours: &str, theirs: &str, ratio: f64, bound: Bound) {
    let verdict = bound.verdict(ratio);
    let figure = figures(ratio);
    println!("| {work} | {on} | {ours} | {theirs} | {figure} | {bound} | {verdict} |");
}

/// Tells a value that is bounded by itself.
pub fn value(work: &str, on: &str, value: f64, unit: &str, bound: Bound) {
    let verdict = bound.verdict(value);
    let figure = figures(value);
    let bound = match bound {
        Bound::Unbound => String::new(),
        _ => format!("{bound} {unit}"),
    };
    println!("| {work} | {on} | {figure} {unit} | | | {bound} | {verdict} |");
}

/// Tells what could not be measured, and why.
pub fn skipped(work: &str, on: &str, why: &str) {
    println!("| {work} | {on} | {why} | | | | not measured |");
}

/// Three significant figures and more before the point.
pub fn figures(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude == 0.0 || 100.0 <= magnitude {
        format!("{value:.0}")
    } else if 10.0 <= magnitude {
        format!("{value:.1}")
    } else if 1.0 <= magnitude {
        format!("{value:.2}")
    } else {
        format!("{value:.3}")
    }
}

pub fn milliseconds(seconds: f64) -> String {
    format!("{} ms", figures(seconds * 1e3))
}
