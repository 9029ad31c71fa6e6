//! "Did you mean …?": the known word nearest to a mistyped one.
//!
//! Distance is the number of single-character slips (a character too many, too
//! few, wrong, or two swapped) between the words: the optimal string alignment
//! distance. A word is only offered if at most a third of it is wrong, or if
//! what was typed is the beginning of it.

/// The nearest of `known` to `word`, the first of several equally near.
///
/// ```
/// use pocketdock_core::wire::nearest::nearest;
///
/// assert_eq!(nearest("crate", ["create", "run"].into_iter()), Some("create"));
/// assert_eq!(nearest("kubernetes", ["create", "run"].into_iter()), None);
/// ```
pub fn nearest<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let typed: Vec<char> = word.chars().take(WORD_LEN_MAX).collect();
    known
        .map(|candidate| (slips(&typed, candidate), candidate))
        // The dashes that all options have in common make none of them nearer.
        .filter(|&(slips, candidate)| slips <= 1.max(candidate.trim_start_matches('-').len() / 3))
        .min_by_key(|&(slips, _)| slips)
        .map(|(_, candidate)| candidate)
}

/// More than any name here is long, so that a huge word costs nothing.
const WORD_LEN_MAX: usize = 64;

fn slips(typed: &[char], candidate: &str) -> usize {
    let wanted: Vec<char> = candidate.chars().collect();
    if MIN_PREFIX_LEN <= typed.len() && wanted.starts_with(typed) {
        return 1;
    }
    distance(typed, &wanted)
}

/// `--` alone begins every option and `s` many commands: no hint at all.
const MIN_PREFIX_LEN: usize = 3;

/// Row by row through the table of distances between all prefixes.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut previous: Vec<usize> = (0..=b.len()).collect();
    for (i, &x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &y) in b.iter().enumerate() {
            let at = |row: &[usize], idx: usize| row.get(idx).copied().unwrap_or(usize::MAX / 2);
            let mut best = at(&previous, j) + usize::from(x != y);
            best = best.min(at(&previous, j + 1) + 1).min(at(&row, j) + 1);
            let swapped = 0 < i && 0 < j && a.get(i - 1) == Some(&y) && b.get(j - 1) == Some(&x);
            if swapped {
                best = best.min(at(&before, j - 1) + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut previous, row);
    }
    previous.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 6] = ["create", "run", "list", "shutdown", "stop", "--mem-limit"];

    #[test]
    fn slips_are_forgiven_and_other_words_are_not() {
        #[rustfmt::skip]
        let cases = [
            ("crate",       Some("create")),
            ("craete",      Some("create")),
            ("creates",     Some("create")),
            ("lsit",        Some("list")),
            ("rum",         Some("run")),
            ("shut",        Some("shutdown")),
            ("--memlimit",  Some("--mem-limit")),
            ("--mem",       Some("--mem-limit")),
            ("--mem-lim1t", Some("--mem-limit")),
            ("--member",    None),
            ("--",          None),
            ("x",           None),
            ("kubernetes",  None),
            ("",            None),
        ];
        for (word, want) in cases {
            assert_eq!(nearest(word, KNOWN.into_iter()), want, "{word:?}");
        }
    }

    #[test]
    fn the_distance_is_symmetric_and_counts_slips() {
        let cases = [
            ("", "", 0),
            ("ab", "ba", 1),
            ("abc", "", 3),
            ("kitten", "sitting", 3),
        ];
        for (a, b, want) in cases {
            let (x, y): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
            assert_eq!(distance(&x, &y), want, "{a} {b}");
            assert_eq!(distance(&y, &x), want, "{b} {a}");
        }
    }
}
