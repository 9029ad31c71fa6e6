//! What is read, what is refused and where, and that nothing short does harm.

use super::*;
use crate::wire::json;

/// The document as JSON, or `line:column: message`.
fn read(text: &str) -> String {
    read_bytes(text.as_bytes())
}

fn read_bytes(bytes: &[u8]) -> String {
    match parse(bytes) {
        Ok(value) => json::to_string(&value),
        Err(error) => {
            let Position { line, column } = error.position;
            format!("{line}:{column}: {}", error.kind)
        }
    }
}

#[test]
fn documents() {
    #[rustfmt::skip] // one case per line
    let cases = [
        ("nothing",              "",                              "null"),
        ("blank lines",          "\n  \n\r\n",                    "null"),
        ("comments",             "# a\n   # b",                   "null"),
        ("only a marker",        "---\n",                         "null"),
        ("marker and comment",   "--- # c\na: b",                 r#"{"a":"b"}"#),
        ("a byte order mark",    "\u{feff}a: b",                  r#"{"a":"b"}"#),
        ("CRLF",                 "a: b\r\nc:\r\n  d: e\r\n",      r#"{"a":"b","c":{"d":"e"}}"#),
        ("trailing spaces",      "a: b  \nc:  \n",                r#"{"a":"b","c":null}"#),
        ("spaces around",        "a :   b",                       r#"{"a":"b"}"#),
        ("a comment",            "a: b #c",                       r#"{"a":"b"}"#),
        ("a tab in a comment",   "a: b #\tc",                     r#"{"a":"b"}"#),
        ("no comment",           "a#b: c#d",                      r##"{"a#b":"c#d"}"##),
        ("no key",               "a: b:c",                        r#"{"a":"b:c"}"#),
        ("an address",           "a: unix:///run/x.sock",         r#"{"a":"unix:///run/x.sock"}"#),
        ("a dash",               "-a: -b",                        r#"{"-a":"-b"}"#),
        ("three dashes",         "---a: b",                       r#"{"---a":"b"}"#),
        ("brackets in a block",  "a: b]c, {d",                    r#"{"a":"b]c, {d"}"#),
        ("indented root",        "  a: 1\n  b: 2",                r#"{"a":1,"b":2}"#),
        ("nested",               "a:\n b:\n   c: 1\n d: 2\ne: 3", r#"{"a":{"b":{"c":1},"d":2},"e":3}"#),
        ("comments between",     "a:\n# x\n  b: 1\n    # y\nc: 2", r#"{"a":{"b":1},"c":2}"#),
        ("no value",             "a:\nb: # x\nc: 1",              r#"{"a":null,"b":null,"c":1}"#),
        ("block list",           "a:\n  - b\n  -   'c'\n  -\nd: 1", r#"{"a":["b","c",null],"d":1}"#),
        ("list at its key",      "a:\n- b\n- c # d\ne: 1",        r#"{"a":["b","c"],"e":1}"#),
        ("flow list",            "a: [b, 'c' ,\"d, e\",1, f g] # h", r#"{"a":["b","c","d, e",1,"f g"]}"#),
        ("empty flow lists",     "a: []\nb: [ ]",                 r#"{"a":[],"b":[]}"#),
        ("a comma at the end",   "a: [b, ]",                      r#"{"a":["b"]}"#),
        ("colons in a list",     "a: [http://b:80/]",             r#"{"a":["http://b:80/"]}"#),
        ("single quotes",        "'a b': 'it''s: # \\n'",         r##"{"a b":"it's: # \\n"}"##),
        ("double quotes",        "\"a\\tb\": \"\\\"\\\\\\/\\x41\\u00e9\\U0001F600\\ \"", "{\"a\\tb\":\"\\\"\\\\/Aé😀 \"}"),
        ("controls by escapes",  "a: \"\\0\\a\\b\\v\\f\\r\\e\\n\"", r#"{"a":"\u0000\u0007\b\u000b\f\r\u001b\n"}"#),
        ("spaces by escapes",    "a: \"\\N\\_\\L\\P\"",           "{\"a\":\"\\u0085\u{a0}\u{2028}\u{2029}\"}"),
        ("a tab in quotes",      "a: 'b\tc'\nd: \"e\tf\"",        r#"{"a":"b\tc","d":"e\tf"}"#),
        ("equal keys apart",     "a:\n  k: 1\nb:\n  k: 2",        r#"{"a":{"k":1},"b":{"k":2}}"#),
        ("other scripts",        "ключ: 値 \u{a0}",               "{\"ключ\":\"値 \u{a0}\"}"),
    ];
    for (name, text, want) in cases {
        assert_eq!(read(text), want, "{name}");
    }
}

#[test]
fn plain_scalars() {
    #[rustfmt::skip] // one case per line
    let cases = [
        ("~", "null"), ("null", "null"), ("Null", "null"), ("NULL", "null"), ("nUll", "\"nUll\""),
        ("true", "true"), ("True", "true"), ("FALSE", "false"), ("tRue", "\"tRue\""),
        ("0", "0"), ("-0", "0"), ("+12", "12"), ("-12", "-12"), ("-9223372036854775808", "-9223372036854775808"),
        ("18446744073709551615", "18446744073709551615"),
        ("1.5", "1.5"), ("-0.5", "-0.5"), ("1.5e+3", "1500.0"), ("1.5E-3", "0.0015"), ("0.0", "0.0"),
        ("10m", "\"10m\""), ("1.5g", "\"1.5g\""), ("1h30m", "\"1h30m\""), ("-x", "\"-x\""), ("e3", "\"e3\""),
        ("...", "\"...\""), ("+", "\"+\""), ("inf", "\"inf\""), ("nan", "\"nan\""), ("_1", "\"_1\""),
        ("/run/a", "\"/run/a\""), ("a?b", "\"a?b\""), ("yes!", "\"yes!\""),
    ];
    for (text, want) in cases {
        assert_eq!(
            read(&format!("a: {text}")),
            format!("{{\"a\":{want}}}"),
            "{text}"
        );
    }
}

#[test]
fn what_readers_disagree_about_is_refused() {
    #[rustfmt::skip]
    let words = [
        "y", "N", "yes", "No", "ON", "off", "=", "007", "010", "-010", "0o17", "0x1F", "-0x1F", "0b1", "1_000",
        "1:30", "12:30:45", ".5", "-.5", "1.", "01.5", "1e3", "1.5e3", ".inf", "-.INF", ".NaN", "2001-12-14",
        "2001-1-1 1:2:3", "2001-12-14t21:59:43Z", "1.2.3", "10.0.0.1", "1,000", "1 2", "-_1", "+_1", "._1",
    ];
    for word in words {
        let want = format!(
            "1:4: '{word}' is not text to every YAML reader: quote it if text is meant, or write \
             true, false or a decimal number"
        );
        assert_eq!(read(&format!("a: {word}")), want);
        assert_eq!(
            read(&format!("a: '{word}'")),
            format!("{{\"a\":\"{word}\"}}")
        );
        let in_list = read(&format!("a:\n- {word}"));
        assert!(in_list.starts_with("2:3: "), "{in_list}");
    }
    for number in ["18446744073709551616", "-9223372036854775809", "1.0e+999"] {
        let want = "1:4: a number too large: quote it if text is meant";
        assert_eq!(read(&format!("a: {number}")), want);
    }
}

/// Each text is refused at this place and in these words.
fn refused(cases: &[(&str, &str, &str)]) {
    for (name, text, want) in cases {
        assert_eq!(read(text), *want, "{name}");
    }
}

#[test]
fn refusals_of_a_structure_name_the_place() {
    #[rustfmt::skip] // one case per line
    let cases = [
        ("text alone",            "hello",               "1:1: expected 'KEY: VALUE'"),
        ("text below a mapping",  "a: 1\nhello",         "2:1: expected 'KEY: VALUE'"),
        ("a list",                "- a",                 "1:1: expected 'KEY: VALUE', not a list"),
        ("an empty key",          ": a",                 "1:1: expected a key; keys without text and '? ' are not supported"),
        ("a complex key",         "? a\n: b",            "1:1: expected a key; keys without text and '? ' are not supported"),
        ("a list as a key",       "[a]: b",              "1:1: expected a key; keys without text and '? ' are not supported"),
        ("a tab before",          "a:\n\tb: 1",          "2:1: a tab: use spaces"),
        ("a tab after spaces",    "a:\n \tb: 1",         "2:2: a tab: use spaces"),
        ("a tab after a colon",   "a:\tb",               "1:3: a tab: use spaces"),
        ("a tab in a value",      "a: b\tc",             "1:5: a tab: use spaces"),
        ("a tab at the end",      "a: 'b'\t",            "1:7: a tab: use spaces"),
        ("a tab after a dash",    "a:\n-\tb",            "2:2: a tab: use spaces"),
        ("a directive",           "%YAML 1.2\n---\n",    "1:1: directives (%) are not supported"),
        ("a second document",     "a: 1\n---\nb: 2",     "2:1: only one document, with nothing behind its '---'"),
        ("two markers",           "---\n---\n",          "2:1: only one document, with nothing behind its '---'"),
        ("an end marker",         "a: 1\n...\n",         "2:1: only one document, with nothing behind its '---'"),
        ("text at the marker",    "--- a: 1",            "1:1: only one document, with nothing behind its '---'"),
        ("less deep",             "a:\n  b: 1\n c: 2",   "3:2: this indentation fits no block above"),
        ("less than the root",    "  a: 1\nb: 2",        "2:1: this indentation fits no block above"),
        ("deeper",                "a: 1\n  b: 2",        "2:3: a value cannot go on in another line"),
        ("a second line",         "a: b\n  c",           "2:3: a value cannot go on in another line"),
        ("a second line of item", "a:\n- b\n  c",        "3:3: a value cannot go on in another line"),
        ("a value below its key", "a:\n  b\n",           "2:3: expected 'KEY: VALUE'"),
        ("quotes over lines",     "a: \"b\n  c\"",       "1:4: the closing quote is missing on this line"),
        ("a quote not closed",    "a: 'b",               "1:4: the closing quote is missing on this line"),
        ("text after quotes",     "a: 'b' c",            "1:8: text after the end of the value"),
        ("no space, comment",     "a: 'b'#c",            "1:7: text after the end of the value"),
        ("no space after colon",  "'a':b",               "1:5: a space is missing after the colon"),
        ("a colon in a value",    "a: b: c",             "1:5: ': ' in a value: quote it"),
        ("a colon at the end",    "a: b:",               "1:5: ': ' in a value: quote it"),
        ("an unknown escape",     "a: \"\\q\"",          "1:5: not an escape; write '\\\\' for a backslash"),
        ("an escape too short",   "a: \"\\x4\"",         "1:5: not an escape; write '\\\\' for a backslash"),
        ("beyond Unicode",        "a: \"\\U00110000\"",  "1:5: not an escape; write '\\\\' for a backslash"),
        ("surrogates",            "a: \"\\ud83d\\ude00\"", "1:5: half a character; use \\U with eight digits"),
    ];
    refused(&cases);
}

#[test]
fn refusals_of_keys_and_lists_name_the_place() {
    #[rustfmt::skip] // one case per line
    let cases = [
        ("equal keys",            "a: 1\nb: 2\na: 3",    "3:1: the key 'a' is on line 1 already"),
        ("equal after escapes",   "ab: 1\n\"\\x61b\": 2", "2:1: the key 'ab' is on line 1 already"),
        ("equal keys, nested",    "x:\n  k: 1\nz:\n  k: 1\n  k: 2", "5:3: the key 'k' is on line 4 already"),
        ("a merge key",           "<<: a",               "1:1: merge keys (<<) are not supported"),
        ("a number as a key",     "1: a",                "1:1: a key has to be text: quote it"),
        ("a truth as a key",      "yes: a",              "1:1: a key has to be text: quote it"),
        ("an item, no list",      "a: 1\n- b",           "2:1: a list item where 'KEY: VALUE' is expected"),
        ("an item as a value",    "a: - b",              "1:4: a list item where 'KEY: VALUE' is expected"),
        ("a list in a list",      "a:\n- - b",           "2:3: lists in lists are not supported"),
        ("flow in a list",        "a:\n- [b]",           "2:3: lists in lists are not supported"),
        ("flow in flow",          "a: [[b]]",            "1:5: lists in lists are not supported"),
        ("a mapping in a list",   "a:\n- b: c",          "2:4: mappings in lists are not supported"),
        ("a pair in flow",        "a: [b: c]",           "1:6: mappings in lists are not supported"),
        ("braces",                "a: {b: c}",           "1:4: mappings in braces are not supported"),
    ];
    refused(&cases);
}

#[test]
fn refusals_of_scalars_name_the_place() {
    #[rustfmt::skip] // one case per line
    let cases = [
        ("an anchor",             "a: &b c",             "1:4: anchors (&) are not supported"),
        ("an alias",              "a: *b",               "1:4: aliases (*) are not supported"),
        ("a tag",                 "a: !!str 1",          "1:4: tags (!) are not supported"),
        ("a literal",             "a: |\n  b",           "1:4: block scalars (| and >) are not supported"),
        ("a folded scalar",       "a: >-\n  b",          "1:4: block scalars (| and >) are not supported"),
        ("reserved",              "a: @b",               "1:4: '@' cannot stand here: quote the text"),
        ("reserved in flow",      "a: [b{c]",            "1:6: '{' cannot stand here: quote the text"),
        ("a flow list, open",     "a: [b,\n  c]",        "1:4: the closing ']' is missing on this line"),
        ("a comment in flow",     "a: [b #]",            "1:4: the closing ']' is missing on this line"),
        ("nothing in flow",       "a: [b,,c]",           "1:7: an element is missing before this"),
        ("text after a list",     "a: [b] c",            "1:8: text after the end of the value"),
        ("a lone CR",             "a: b\rc: d",          "1:5: the character \\u{d} cannot stand in YAML as it is"),
        ("an escape code",        "# \u{1b}[31m",        "1:3: the character \\u{1b} cannot stand in YAML as it is"),
        ("a C1 control",          "a: 'é\u{85}'",        "1:6: the character \\u{85} cannot stand in YAML as it is"),
        ("a line separator",      "a: b\u{2028}c",       "1:5: the character \\u{2028} cannot stand in YAML as it is"),
        ("a mark in the middle",  "a: \u{feff}b",        "1:4: the character \\u{feff} cannot stand in YAML as it is"),
        ("no character",          "a: \u{fffe}",         "1:4: the character \\u{fffe} cannot stand in YAML as it is"),
    ];
    refused(&cases);
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    assert_eq!(read_bytes(b"a: 1\n\xc3\xa9: \xff"), "2:4: invalid UTF-8");
    assert_eq!(read_bytes(b"a: \xc3"), "1:4: invalid UTF-8");
    let error = parse(b"a: @").unwrap_err();
    assert_eq!(
        error.to_string(),
        "'@' cannot stand here: quote the text at line 1, column 4"
    );
}

#[test]
fn limits_hold_and_one_more_does_not() {
    let nested = |depth: usize| {
        let lines = (0..depth).map(|i| format!("{}k:\n", " ".repeat(i)));
        lines.collect::<String>()
    };
    assert!(parse(nested(DEPTH_MAX).as_bytes()).is_ok());
    let want = "17:17: mappings nested more than 16 deep";
    assert_eq!(read(&nested(DEPTH_MAX + 1)), want);
    assert!(parse(nested(600).as_bytes()).is_err());

    let keyed = |len: usize| format!("{}: 1", "k".repeat(len));
    assert!(parse(keyed(KEY_LEN_MAX).as_bytes()).is_ok());
    let want = "1:1: a key longer than 256 characters";
    assert_eq!(read(&keyed(KEY_LEN_MAX + 1)), want);

    let long = |len: usize| format!("a: {}", "b".repeat(len - 3));
    assert!(parse(long(DOCUMENT_LEN_MAX).as_bytes()).is_ok());
    let want = "1:1: longer than 262144 bytes";
    assert_eq!(read(&long(DOCUMENT_LEN_MAX + 1)), want);
}

#[test]
fn many_keys_take_time_in_proportion() {
    let text: String = (0..20_000).map(|i| format!("k{i}: {i}\n")).collect();
    assert_eq!(
        parse(text.as_bytes()).unwrap().u64_at(&["k19999"]),
        Some(19_999)
    );
    let deep: String = (0..20_000).map(|i| format!("k{i}:\n- {i}\n")).collect();
    assert!(
        parse(
            deep.as_bytes()
                .get(..DOCUMENT_LEN_MAX)
                .unwrap_or(deep.as_bytes())
        )
        .is_ok()
    );
}

/// Every sequence of up to five of these: nothing panics, what is refused has a place inside of the
/// text, and what is accepted says the same with blank lines and comments around it.
#[test]
fn short_documents_are_safe_and_stable() {
    let words = [
        "a", ": ", ":\n", "\n", "  ", "- ", "'b'", "\"", "[", ", ", "]", " #", "---", "1",
    ];
    let mut accepted = 0;
    let mut texts = vec![String::new()];
    for _ in 0..5 {
        let longer = |text: &String| words.map(|word| format!("{text}{word}"));
        texts = texts.iter().flat_map(longer).collect();
        for text in &texts {
            match parse(text.as_bytes()) {
                Ok(value) => {
                    accepted += 1;
                    let around = format!("# x\n\n{text}\n   # y\n");
                    assert_eq!(parse(around.as_bytes()), Ok(value), "{text:?}");
                }
                Err(error) => {
                    let line = text.split('\n').nth(error.position.line - 1).unwrap();
                    assert!(
                        error.position.column <= line.chars().count() + 1,
                        "{text:?}"
                    );
                }
            }
        }
    }
    assert!(1000 < accepted, "only {accepted} accepted");
}

#[test]
fn what_is_quoted_is_read_back() {
    let all: String = ('\0'..='\u{10ffff}')
        .filter(|c| *c < '\u{3000}' || '\u{f000}' < *c)
        .collect();
    let chars: Vec<char> = all.chars().collect();
    for piece in chars.chunks(1000) {
        let text: String = piece.iter().collect();
        let document = format!("a: {}", quoted(&text));
        assert_eq!(
            parse(document.as_bytes()).unwrap().str_at(&["a"]),
            Some(text.as_str())
        );
    }
    for word in [
        "",
        "yes",
        "a: b",
        " a ",
        "# a",
        "'",
        "\"\\",
        "- a",
        "a\nb\tc\r\u{1b}",
    ] {
        let document = format!("{}: {}", quoted(word), quoted(word));
        assert_eq!(
            parse(document.as_bytes()).unwrap().str_at(&[word]),
            Some(word)
        );
    }
}

#[test]
fn positions_are_those_of_the_keys() {
    let document = parse_document(b"a: 1\nb:\n  a: 2\n\n  'c': 3\n").unwrap();
    let place = |path: &[&str]| document.position(path).map(|p| (p.line, p.column));
    assert_eq!(place(&["a"]), Some((1, 1)));
    assert_eq!(place(&["b", "a"]), Some((3, 3)));
    assert_eq!(place(&["b", "c"]), Some((5, 3)));
    assert_eq!(place(&["c"]), None);
    assert_eq!(place(&[]), None);
}
