//! Files into a sandbox and out of it, against the engine's own `cp`: one of a gibibyte, and ten
//! thousand of a kibibyte.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::Pair;
use crate::harness::settings::Settings;
use crate::harness::table::Bound;

const BIG_LEN: u64 = 1 << 30;

/// Ours may take this much of the time that the engine's own takes.
const TIME: Bound = Bound::AtMost(1.0 / 0.9);

pub(crate) fn measure(settings: &Settings, sandbox: &str) {
    let dir = std::env::temp_dir().join(format!("pocketdock-copies-{}", std::process::id()));
    let path = |name: &str| dir.join(name).to_str().unwrap().to_owned();
    fs::create_dir(&dir).unwrap();
    File::create(dir.join("big"))
        .unwrap()
        .set_len(BIG_LEN)
        .unwrap();
    plant(&dir.join("many"));

    let (big, many, back, out) = (path("big"), path("many"), path("back"), path("out"));
    let inside = |name: &str| format!("{sandbox}:/{name}");
    fs::create_dir(&out).unwrap();
    let pairs = [
        // Into names that are there from the second time on, and merged into.
        (
            vec!["push", sandbox, &big, "/big"],
            big.clone(),
            inside("big"),
            TIME,
        ),
        (
            vec!["pull", sandbox, "/big", &back],
            inside("big"),
            back.clone(),
            TIME,
        ),
        (
            vec!["push", sandbox, &many, "/"],
            many.clone(),
            inside(""),
            Bound::AtMost(1.0),
        ),
        (
            vec!["pull", sandbox, "/many", &out],
            inside("many"),
            out.clone(),
            Bound::AtMost(1.0),
        ),
    ];
    for (ours, from, to, bound) in &pairs {
        let theirs = ["cp", from.as_str(), to.as_str()];
        let pair = Pair::new(settings, ours, &theirs);
        pair.tell_time(5, *bound);
        pair.tell_peak(1, Bound::Unbound);
    }
    fs::remove_dir_all(&dir).unwrap();
}

fn plant(root: &Path) {
    for n in 0..100 {
        let dir: PathBuf = root.join(format!("d{n}"));
        fs::create_dir_all(&dir).unwrap();
        for n in 0..100 {
            fs::write(dir.join(format!("f{n}")), [b'x'; 1024]).unwrap();
        }
    }
}
