//! Base64 in both alphabets, RFC 4648.
//!
//! Engines describe a file in a base64 header: Docker in the standard alphabet, Podman in the
//! URL-safe one. [`decode`] reads both, with and without padding; [`encode`] writes the standard
//! alphabet with padding.
//!
//! Decoding is strict otherwise: no line breaks or spaces, one alphabet per text, padding complete
//! or absent, and unused bits zero, so that a text other than the canonical one is never taken for
//! the same bytes. Nothing here works incrementally; inputs are headers and captured output, which
//! their readers bound.

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Writes `bytes` in the standard alphabet with padding.
///
/// ```
/// use pocketdock_core::wire::base64;
///
/// assert_eq!(base64::encode(b"\xff\xfe"), "//4=");
/// assert_eq!(base64::encode(b""), "");
/// ```
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits, i| bits << 8 | octet(group, i));
        text.push(digit(bits >> 18));
        text.push(digit(bits >> 12));
        text.push(if 1 < group.len() {
            digit(bits >> 6)
        } else {
            '='
        });
        text.push(if 2 < group.len() { digit(bits) } else { '=' });
    }
    text
}

fn octet(group: &[u8], i: usize) -> usize {
    group.get(i).copied().map_or(0, usize::from)
}

/// The digit for the lowest six bits.
fn digit(bits: usize) -> char {
    STANDARD
        .get(bits % 64)
        .map_or('=', |&byte| char::from(byte))
}

/// Reads base64 in either alphabet, padded or not.
///
/// `None` means that the text is not base64.
///
/// ```
/// use pocketdock_core::wire::base64;
///
/// assert_eq!(base64::decode("//4=").as_deref(), Some(b"\xff\xfe".as_slice()));
/// assert_eq!(base64::decode("__4").as_deref(), Some(b"\xff\xfe".as_slice()));
/// assert_eq!(base64::decode("//5="), None); // the last digit has bits that no byte holds
/// ```
#[must_use]
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let digits = without_padding(text)?.as_bytes();
    if has_any(digits, b"+/") && has_any(digits, b"-_") {
        return None;
    }
    let mut bytes = Vec::with_capacity(digits.len() / 4 * 3 + 2);
    for group in digits.chunks(4) {
        decode_group(group, &mut bytes)?;
    }
    Some(bytes)
}

fn without_padding(text: &str) -> Option<&str> {
    let digits = text.trim_end_matches('=');
    let padding_len = text.len() - digits.len();
    let is_complete = padding_len <= 2 && text.len() % 4 == 0;
    (padding_len == 0 || is_complete).then_some(digits)
}

fn has_any(digits: &[u8], wanted: &[u8]) -> bool {
    digits.iter().any(|digit| wanted.contains(digit))
}

/// Appends the bytes that two to four digits stand for.
fn decode_group(group: &[u8], bytes: &mut Vec<u8>) -> Option<()> {
    let mut bits = 0_u32;
    for &digit in group {
        bits = bits << 6 | u32::from(value_of(digit)?);
    }
    let (byte_count, unused_bits) = match group.len() {
        4 => (3, 0),
        3 => (2, 2),
        2 => (1, 4),
        _ => return None, // one digit is less than a byte
    };
    if bits.trailing_zeros() < unused_bits {
        return None;
    }
    let octets = (bits >> unused_bits).to_be_bytes();
    bytes.extend_from_slice(octets.get(4 - byte_count..)?);
    Some(())
}

fn value_of(digit: u8) -> Option<u8> {
    match digit {
        b'A'..=b'Z' => Some(digit - b'A'),
        b'a'..=b'z' => Some(digit - b'a' + 26),
        b'0'..=b'9' => Some(digit - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4648, section 10.
    const VECTORS: [(&str, &str); 7] = [
        ("", ""),
        ("f", "Zg=="),
        ("fo", "Zm8="),
        ("foo", "Zm9v"),
        ("foob", "Zm9vYg=="),
        ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ];

    #[test]
    fn vectors_of_the_rfc() {
        for (plain, text) in VECTORS {
            assert_eq!(encode(plain.as_bytes()), text);
            assert_eq!(decode(text).unwrap(), plain.as_bytes(), "{text}");
            let unpadded = text.trim_end_matches('=');
            assert_eq!(decode(unpadded).unwrap(), plain.as_bytes(), "{unpadded}");
        }
    }

    #[test]
    fn what_is_not_base64() {
        #[rustfmt::skip] // one case per line
        let cases = [
            ("one digit",            "Z"),
            ("one digit too many",   "Zm9vY"),
            ("one digit, padded",    "Z==="),
            ("padding alone",        "="),
            ("only padding",         "===="),
            ("padding incomplete",   "Zg="),
            ("padding too long",     "Zm8=="),
            ("padding not needed",   "Zm9v="),
            ("padding of a group",   "Zm9v===="),
            ("padding inside",       "Zg==Zg=="),
            ("unused bits, two",     "Zh=="),
            ("unused bits, three",   "Zm9="),
            ("unused bits, unpadded", "Zh"),
            ("both alphabets",       "+-AA"),
            ("both alphabets, slash", "/AA_"),
            ("newline",              "Zm9v\n"),
            ("space",                "Zm 9v"),
            ("comma",                "Zm9,"),
            ("not ASCII",            "Zm9é"),
        ];
        for (name, text) in cases {
            assert_eq!(decode(text), None, "{name}");
        }
    }

    #[test]
    fn both_alphabets_reach_every_value() {
        let bytes: Vec<u8> = (0..=u8::MAX).chain((0..=u8::MAX).rev()).collect();
        let text = encode(&bytes);
        assert!(text.contains('+') && text.contains('/'));
        assert_eq!(decode(&text).unwrap(), bytes);
        let url_safe = text.replace('+', "-").replace('/', "_");
        assert_eq!(decode(&url_safe).unwrap(), bytes);
    }

    #[test]
    fn every_short_text_decodes_to_bytes_that_encode_to_it() {
        let all: Vec<char> = (0..128_u8).map(char::from).collect();
        let mut decoded_count = 0;
        for a in &all {
            for b in &all {
                let text = format!("{a}{b}");
                if let Some(bytes) = decode(&text) {
                    let standard = text.replace('-', "+").replace('_', "/");
                    assert_eq!(encode(&bytes), format!("{standard}=="));
                    decoded_count += 1;
                }
            }
        }
        // 64 first digits of the standard alphabet, plus two of the other, then A, Q, g or w.
        assert_eq!(decoded_count, 66 * 4);
    }

    #[test]
    fn every_strict_prefix_is_refused_or_holds_whole_bytes() {
        let bytes = b"any bytes at all \xff\x00\xfe";
        let text = encode(bytes);
        for len in 0..text.len() {
            if let Some(start) = decode(&text[..len]) {
                assert!(bytes.starts_with(&start), "{len} digits");
            }
        }
    }
}
