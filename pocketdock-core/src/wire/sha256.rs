//! The SHA-256 digest of bytes that arrive in pieces.
//!
//! Source: FIPS 180-4, sections 4.1.2, 4.2.2, 5.1.1, 5.3.3 and 6.2. For telling whether an archive
//! is the one that was written; nothing here takes care to need the same time for all data, so it
//! is not for secrets.
//!
//! ```
//! use pocketdock_core::wire::sha256::Sha256;
//!
//! let mut hash = Sha256::new();
//! hash.update(b"a");
//! hash.update(b"bc");
//! let digest = hash.finish();
//! assert!(digest.to_string().starts_with("ba7816bf8f01cfea"));
//! ```

use std::fmt;

use crate::wire::digits;

/// Bytes that are mixed into the state at a time.
const BLOCK_LEN: usize = 64;

/// Where the length of the whole stands in the last block.
const LENGTH_AT: usize = BLOCK_LEN - 8;

/// Section 5.3.3.
const START: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// Section 4.2.2, sixteen rounds to a row.
const ROUND_CONSTANTS: [[u32; 16]; 4] = [
    [
        0x428a_2f98,
        0x7137_4491,
        0xb5c0_fbcf,
        0xe9b5_dba5,
        0x3956_c25b,
        0x59f1_11f1,
        0x923f_82a4,
        0xab1c_5ed5,
        0xd807_aa98,
        0x1283_5b01,
        0x2431_85be,
        0x550c_7dc3,
        0x72be_5d74,
        0x80de_b1fe,
        0x9bdc_06a7,
        0xc19b_f174,
    ],
    [
        0xe49b_69c1,
        0xefbe_4786,
        0x0fc1_9dc6,
        0x240c_a1cc,
        0x2de9_2c6f,
        0x4a74_84aa,
        0x5cb0_a9dc,
        0x76f9_88da,
        0x983e_5152,
        0xa831_c66d,
        0xb003_27c8,
        0xbf59_7fc7,
        0xc6e0_0bf3,
        0xd5a7_9147,
        0x06ca_6351,
        0x1429_2967,
    ],
    [
        0x27b7_0a85,
        0x2e1b_2138,
        0x4d2c_6dfc,
        0x5338_0d13,
        0x650a_7354,
        0x766a_0abb,
        0x81c2_c92e,
        0x9272_2c85,
        0xa2bf_e8a1,
        0xa81a_664b,
        0xc24b_8b70,
        0xc76c_51a3,
        0xd192_e819,
        0xd699_0624,
        0xf40e_3585,
        0x106a_a070,
    ],
    [
        0x19a4_c116,
        0x1e37_6c08,
        0x2748_774c,
        0x34b0_bcb5,
        0x391c_0cb3,
        0x4ed8_aa4a,
        0x5b9c_ca4f,
        0x682e_6ff3,
        0x748f_82ee,
        0x78a5_636f,
        0x84c8_7814,
        0x8cc7_0208,
        0x90be_fffa,
        0xa450_6ceb,
        0xbef9_a3f7,
        0xc671_78f2,
    ],
];

/// A digest, printed and read as 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest itself.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads 64 hexadecimal digits, in either case; `None` if `text` is anything else.
    ///
    /// ```
    /// use pocketdock_core::wire::sha256::{Digest, Sha256};
    ///
    /// let digest = Sha256::new().finish();
    /// assert_eq!(Digest::parse(&digest.to_string()), Some(digest));
    /// assert_eq!(Digest::parse("e3b0"), None);
    /// ```
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 64 {
            return None;
        }
        let mut digest = [0; 32];
        for (byte, digits) in digest.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = u8::try_from(digits::hex(digits)?).ok()?;
        }
        Some(Self(digest))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A digest in the making.
#[derive(Debug, Clone)]
pub struct Sha256 {
    state: [u32; 8],
    /// The block that is not full yet.
    block: [u8; BLOCK_LEN],
    /// How much of it is there, always less than a block.
    filled_len: usize,
    /// Of all that was given.
    total_len: u64,
}

impl Default for Sha256 {
    fn default() -> Self {
        Self::new()
    }
}

impl Sha256 {
    /// The digest of nothing so far.
    #[must_use]
    pub fn new() -> Self {
        Self {
            state: START,
            block: [0; BLOCK_LEN],
            filled_len: 0,
            total_len: 0,
        }
    }

    /// Adds bytes to what the digest is of.
    pub fn update(&mut self, bytes: &[u8]) {
        self.total_len = self.total_len.wrapping_add(bytes.len() as u64);
        let mut rest = self.fill(bytes);
        while let Some((block, after)) = rest.split_first_chunk() {
            mix(&mut self.state, block);
            rest = after;
        }
        self.fill(rest);
    }

    /// The digest of all that was added.
    #[must_use]
    pub fn finish(mut self) -> Digest {
        let bits = self.total_len.wrapping_mul(8).to_be_bytes();
        self.fill(&[0x80]);
        if LENGTH_AT < self.filled_len {
            self.fill_up_to(BLOCK_LEN);
        }
        self.fill_up_to(LENGTH_AT);
        self.fill(&bits);
        let mut digest = [0; 32];
        for (bytes, word) in digest.chunks_exact_mut(4).zip(self.state) {
            bytes.copy_from_slice(&word.to_be_bytes());
        }
        Digest(digest)
    }

    /// Puts bytes into a block that has begun, or the last ones into a new one; what is left is
    /// whole blocks and more.
    fn fill<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        if self.filled_len == 0 && BLOCK_LEN <= bytes.len() {
            return bytes;
        }
        let free = self.block.get_mut(self.filled_len..).unwrap_or_default();
        let (now, later) = bytes.split_at(free.len().min(bytes.len()));
        for (to, from) in free.iter_mut().zip(now) {
            *to = *from;
        }
        self.filled_len += now.len();
        if self.filled_len == BLOCK_LEN {
            mix(&mut self.state, &self.block);
            self.filled_len = 0;
        }
        later
    }

    /// Zeros up to here.
    fn fill_up_to(&mut self, at: usize) {
        let missing = at.saturating_sub(self.filled_len);
        let (zeros, _) = [0; BLOCK_LEN].split_at(missing.min(BLOCK_LEN));
        self.fill(zeros);
    }
}

/// Section 6.2.2.
fn mix(state: &mut [u32; 8], block: &[u8; BLOCK_LEN]) {
    let mut words = [0; 16];
    for (word, bytes) in words.iter_mut().zip(block.chunks_exact(4)) {
        *word = bytes
            .iter()
            .fold(0, |word, byte| word << 8 | u32::from(*byte));
    }
    let mut mixed = *state;
    for (row, constants) in ROUND_CONSTANTS.iter().enumerate() {
        if row != 0 {
            next_words(&mut words);
        }
        rounds(&mut mixed, &words, constants);
    }
    for (word, mixed) in state.iter_mut().zip(mixed) {
        *word = word.wrapping_add(mixed);
    }
}

/// Sixteen rounds, after which the eight variables have changed places twice around.
fn rounds(state: &mut [u32; 8], words: &[u32; 16], constants: &[u32; 16]) {
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
    for (word, constant) in words.iter().zip(constants) {
        let one = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
        let choice = g ^ (e & (f ^ g));
        let added = word.wrapping_add(*constant);
        let first = h.wrapping_add(one).wrapping_add(choice).wrapping_add(added);
        let zero = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
        let majority = (a & b) | (c & (a | b));
        (h, g, f, e) = (g, f, e, d.wrapping_add(first));
        (d, c, b, a) = (c, b, a, first.wrapping_add(zero).wrapping_add(majority));
    }
    *state = [a, b, c, d, e, f, g, h];
}

/// The next sixteen words of the schedule, each in the place of the one sixteen before it.
fn next_words(w: &mut [u32; 16]) {
    w[0] = next_word(w[0], w[1], w[9], w[14]);
    w[1] = next_word(w[1], w[2], w[10], w[15]);
    w[2] = next_word(w[2], w[3], w[11], w[0]);
    w[3] = next_word(w[3], w[4], w[12], w[1]);
    w[4] = next_word(w[4], w[5], w[13], w[2]);
    w[5] = next_word(w[5], w[6], w[14], w[3]);
    w[6] = next_word(w[6], w[7], w[15], w[4]);
    w[7] = next_word(w[7], w[8], w[0], w[5]);
    w[8] = next_word(w[8], w[9], w[1], w[6]);
    w[9] = next_word(w[9], w[10], w[2], w[7]);
    w[10] = next_word(w[10], w[11], w[3], w[8]);
    w[11] = next_word(w[11], w[12], w[4], w[9]);
    w[12] = next_word(w[12], w[13], w[5], w[10]);
    w[13] = next_word(w[13], w[14], w[6], w[11]);
    w[14] = next_word(w[14], w[15], w[7], w[12]);
    w[15] = next_word(w[15], w[0], w[8], w[13]);
}

fn next_word(sixteen_ago: u32, fifteen_ago: u32, seven_ago: u32, two_ago: u32) -> u32 {
    let zero = fifteen_ago.rotate_right(7) ^ fifteen_ago.rotate_right(18) ^ (fifteen_ago >> 3);
    let one = two_ago.rotate_right(17) ^ two_ago.rotate_right(19) ^ (two_ago >> 10);
    let sum = sixteen_ago.wrapping_add(zero);
    sum.wrapping_add(seven_ago).wrapping_add(one)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(pieces: &[&[u8]]) -> String {
        let mut hash = Sha256::new();
        for piece in pieces {
            hash.update(piece);
        }
        hash.finish().to_string()
    }

    /// Published with the standard.
    #[test]
    fn the_vectors_of_the_standard() {
        let two_blocks = b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
        let four_blocks = b"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn\
            hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu";
        let million = vec![b'a'; 1_000_000];
        #[rustfmt::skip] // one case per line
        let cases: [(&str, &[u8], &str); 5] = [
            ("empty",     b"",         "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("24 bits",   b"abc",      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            ("448 bits",  two_blocks,  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"),
            ("896 bits",  four_blocks, "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"),
            ("a million", &million,    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
        ];
        for (name, bytes, want) in cases {
            assert_eq!(digest(&[bytes]), want, "{name}");
        }
    }

    /// Around the ends of a block, where the padding takes another one.
    #[test]
    fn any_two_cuts_give_the_same_digest() {
        let bytes: Vec<u8> = (0..150).collect();
        for len in 0..=bytes.len() {
            let whole = &bytes[..len];
            let want = digest(&[whole]);
            for i in 0..=len {
                assert_eq!(
                    digest(&[&whole[..i], &whole[i..]]),
                    want,
                    "{len} cut at {i}"
                );
            }
        }
        let want = digest(&[&bytes]);
        for i in 0..=bytes.len() {
            for j in i..=bytes.len() {
                let pieces = [&bytes[..i], &bytes[i..j], &bytes[j..]];
                assert_eq!(digest(&pieces), want, "cut at {i} and {j}");
            }
        }
    }

    #[test]
    fn bytes_one_at_a_time_give_the_same_digest() {
        let bytes: Vec<u8> = (0..=255).cycle().take(1000).collect();
        let mut hash = Sha256::default();
        for byte in &bytes {
            hash.update(&[*byte]);
        }
        assert_eq!(hash.finish().to_string(), digest(&[&bytes]));
    }

    /// Every length of a last block.
    #[test]
    fn the_digests_are_those_of_sha256sum() {
        use std::io::Write;
        use std::process::{Command, Stdio};

        for len in 0..130_u8 {
            let bytes = vec![len; usize::from(len)];
            let sum = Command::new("sha256sum")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn();
            let Ok(mut sum) = sum else {
                println!("SKIPPED: there is no sha256sum");
                return;
            };
            sum.stdin.take().unwrap().write_all(&bytes).unwrap();
            let said = String::from_utf8(sum.wait_with_output().unwrap().stdout).unwrap();
            assert_eq!(said, format!("{}  -\n", digest(&[&bytes])), "{len} bytes");
        }
    }

    #[test]
    fn digests_as_text() {
        let text = digest(&[b"abc"]);
        let parsed = Digest::parse(&text);
        assert_eq!(parsed.map(|digest| digest.to_string()), Some(text.clone()));
        assert_eq!(Digest::parse(&text.to_uppercase()), parsed);
        assert_eq!(parsed.unwrap().as_bytes()[..2], [0xba, 0x78]);
        #[rustfmt::skip] // one case per line
        let cases = [
            ("empty",        String::new()),
            ("too short",    text[..63].to_owned()),
            ("too long",     format!("{text}0")),
            ("no digits",    "g".repeat(64)),
            ("a sign",       "+1".repeat(32)),
            ("no ASCII",     "\u{e9}".repeat(32)),
        ];
        for (name, text) in cases {
            assert_eq!(Digest::parse(&text), None, "{name}");
        }
    }
}
