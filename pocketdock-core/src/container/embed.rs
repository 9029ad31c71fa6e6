//! Shell scripts and Dockerfiles that come with the library: their files, without the comments.
//!
//! The comments are for whoever reads the files. They are taken off when the library is compiled,
//! so they are neither in a program nor in what is sent to an engine. A comment is a whole line; a
//! `#` at the beginning of a line is never anything else in these files.

/// The text of a file, whose path is relative to the source file that names it.
macro_rules! embed {
    ($path:literal) => {{
        const TEXT: &str = include_str!($path);
        const CODE: [u8; $crate::container::embed::code_len(TEXT)] =
            $crate::container::embed::code(TEXT);
        match ::core::str::from_utf8(&CODE) {
            Ok(code) => code,
            Err(_) => TEXT, // Not so: whole lines of UTF-8 are UTF-8.
        }
    }};
}

pub(crate) use embed;

pub(crate) const fn code_len(text: &str) -> usize {
    strip(text, &mut [])
}

pub(crate) const fn code<const LEN: usize>(text: &str) -> [u8; LEN] {
    let mut code = [0; LEN];
    strip(text, &mut code);
    code
}

/// Writes `text` without its comments to `code`, as far as there is room; how long it is.
const fn strip(text: &str, mut code: &mut [u8]) -> usize {
    let mut text = text.as_bytes();
    let mut len = 0;
    while !text.is_empty() {
        let is_comment = is_comment(text);
        while let [byte, rest @ ..] = text {
            text = rest;
            if !is_comment {
                len += 1;
                if let [slot, room @ ..] = code {
                    *slot = *byte;
                    code = room;
                }
            }
            if *byte == b'\n' {
                break;
            }
        }
    }
    len
}

/// Whether the first line of `text` is a comment.
const fn is_comment(mut text: &[u8]) -> bool {
    while let [b' ', rest @ ..] = text {
        text = rest;
    }
    matches!(text, [b'#', ..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_lines_are_taken_off_and_nothing_else() {
        const TEXT: &str = "# head\n#\na=${b#c} # d\n  # inside\n\n  e\n# last";
        const CODE: [u8; code_len(TEXT)] = code(TEXT);
        assert_eq!(&CODE, b"a=${b#c} # d\n\n  e\n");
        assert_eq!(code_len(""), 0);
    }

    #[test]
    fn a_script_is_the_code_of_its_file() {
        const SCRIPT: &str = embed!("kill.sh");
        assert!(SCRIPT.len() < include_str!("kill.sh").len());
        assert!(!SCRIPT.lines().any(|line| line.starts_with('#')));
    }
}
