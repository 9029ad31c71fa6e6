//! Settings and project roots as files on a disk: which are read, which win, what is wrong with
//! them, and what `init_project` leaves behind.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use pocketdock_core::engine::EngineOptions;
use pocketdock_core::host::Environment;
use pocketdock_core::{Config, Error, LogLevel, find_project_root, init_project};

use crate::support::fake_engine::{FakeEngine, Reply};
use crate::support::scratch::Scratch;

/// A home, a project in it, and a working directory deep in that.
struct Place {
    scratch: Scratch,
    environment: Environment,
}

impl Place {
    fn new() -> Self {
        let scratch = Scratch::new();
        let base = fs::canonicalize(scratch.path()).unwrap();
        fs::create_dir_all(base.join("home/work/deep")).unwrap();
        let environment = Environment {
            home: Some(base.join("home")),
            working_dir: Some(base.join("home/work/deep")),
            ..Environment::default()
        };
        Place {
            scratch,
            environment,
        }
    }

    fn project(self, text: &str) -> Self {
        self.write("home/work/.pocketdock/pocketdock.yaml", text)
    }

    fn user(self, text: &str) -> Self {
        self.write("home/.config/pocketdock/pocketdock.yaml", text)
    }

    fn write(self, name: &str, text: &str) -> Self {
        self.scratch.write(name, text.as_bytes());
        self
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.settings.push((name.into(), value.into()));
        self
    }

    fn config(&self) -> Result<Config, Error> {
        Config::load(&self.environment)
    }

    /// An error's words without the part of the path that differs from run to run.
    fn error(&self) -> String {
        let text = self.config().unwrap_err().to_string();
        let base = fs::canonicalize(self.scratch.path()).unwrap();
        text.replace(base.to_str().unwrap(), "")
    }
}

#[test]
fn without_files_the_defaults_hold() {
    let config = Place::new().config().unwrap();
    assert_eq!(config.default_profile().name, "minimal-python");
    assert!(!config.default_persist() && config.auto_log());
    assert_eq!(config.max_log_size(), Some(10 << 20));
    assert_eq!(config.max_logs_per_instance(), Some(100));
    assert_eq!(config.retention_days(), Some(30));
    assert_eq!(config.log_level(), LogLevel::Info);
    assert_eq!((config.socket(), config.idle_timeout()), (None, None));
    assert!(config.files().is_empty() && config.warnings().is_empty());
    assert!(config.project().is_none());
    assert_eq!(config.origin("socket").to_string(), "the default");
}

#[test]
fn every_key_is_read_and_knows_where_it_is_from() {
    let place = Place::new().project(
        "project_name: 'a: b'\ndefault_profile: minimal-python\ndefault_persist: true\n\
         socket: unix:///run/x.sock\nidle_timeout: 1h30m\n\
         logging:\n  auto_log: false\n  max_log_size: 1.5m\n  max_logs_per_instance: 0\n\
         \x20 retention_days: 7\n  log_level: debug\n",
    );
    let config = place.config().unwrap();
    let project = config.project().unwrap();
    assert_eq!(project.name, "a: b");
    assert!(project.root.ends_with("home/work"));
    assert!(
        project
            .instances_dir()
            .ends_with("work/.pocketdock/instances")
    );
    assert!(config.default_persist() && !config.auto_log());
    assert_eq!(config.max_log_size(), Some(3 << 19));
    assert_eq!(config.max_logs_per_instance(), None);
    assert_eq!(config.retention_days(), Some(7));
    assert_eq!(config.socket(), Some(Path::new("/run/x.sock")));
    assert_eq!(config.log_level(), LogLevel::Debug);
    assert_eq!(config.idle_timeout(), Some(Duration::from_secs(5400)));
    assert!(config.warnings().is_empty());
    let origin = config.origin("retention_days").to_string();
    assert!(origin.ends_with("pocketdock.yaml', line 10"), "{origin}");
}

#[test]
fn what_is_nearer_wins() {
    let everywhere = |key: &str| {
        Place::new()
            .write("home/.pocketdock/pocketdock.yaml", &format!("{key}: 1\n"))
            .user(&format!("{key}: 2\n"))
            .project(&format!("logging:\n  {key}: 3\n"))
    };
    let days = |place: &Place| place.config().unwrap().retention_days();
    let place = everywhere("retention_days").variable("POCKETDOCK_RETENTION_DAYS", "4");
    assert_eq!(days(&place), Some(4));
    let place = everywhere("retention_days");
    assert_eq!(days(&place), Some(3));
    assert_eq!(place.config().unwrap().files().len(), 3);
    fs::remove_dir_all(place.scratch.join("home/work/.pocketdock")).unwrap();
    assert_eq!(days(&place), Some(2));
    fs::remove_dir_all(place.scratch.join("home/.config")).unwrap();
    assert_eq!(days(&place), Some(1));
    assert!(
        place.config().unwrap().project().is_none(),
        "the home is no project"
    );

    let mut place =
        everywhere("retention_days").write("xdg/pocketdock/pocketdock.yaml", "retention_days: 5\n");
    place.environment.config_home = Some(place.scratch.join("xdg"));
    place.environment.working_dir = None;
    assert_eq!(days(&place), Some(5));
    place.environment.config_home = Some("relative".into());
    assert_eq!(days(&place), Some(2), "a relative path is no path");
}

#[test]
fn variables_are_read_as_the_key_wants_them() {
    let place = Place::new()
        .project("")
        .variable("POCKETDOCK_PROJECT_NAME", "007")
        .variable("POCKETDOCK_DEFAULT_PROFILE", "minimal-python")
        .variable("POCKETDOCK_DEFAULT_PERSIST", "true")
        .variable("POCKETDOCK_AUTO_LOG", "false")
        .variable("POCKETDOCK_MAX_LOG_SIZE", "2048")
        .variable("POCKETDOCK_MAX_LOGS_PER_INSTANCE", "3")
        .variable("POCKETDOCK_LOG_LEVEL", "error")
        .variable("POCKETDOCK_IDLE_TIMEOUT", "90")
        .variable("POCKETDOCK_TEST_SOCKET", "no setting");
    let config = place.config().unwrap();
    assert_eq!(config.project().unwrap().name, "007");
    assert!(config.default_persist() && !config.auto_log());
    assert_eq!(config.max_log_size(), Some(2048));
    assert_eq!(config.max_logs_per_instance(), Some(3));
    assert_eq!(config.log_level(), LogLevel::Error);
    assert_eq!(config.idle_timeout(), Some(Duration::from_secs(90)));
    assert_eq!(config.origin("auto_log").to_string(), "POCKETDOCK_AUTO_LOG");

    let error = Place::new().variable("POCKETDOCK_AUTO_LOG", "yes").error();
    assert_eq!(
        error,
        "invalid POCKETDOCK_AUTO_LOG 'yes': expected true or false"
    );
    let error = Place::new().variable("POCKETDOCK_LOG_LEVEL", "1").error();
    assert_eq!(
        error,
        "invalid POCKETDOCK_LOG_LEVEL '1': expected error, warn, info or debug"
    );
}

#[test]
fn values_of_a_wrong_type_or_range_are_errors_with_their_line() {
    #[rustfmt::skip] // one case per line
    let cases = [
        ("project_name: 1",                 "project_name: expected 1 to 128 characters on one line other than '.', not 1"),
        ("project_name: ''",                "project_name: expected 1 to 128 characters on one line other than '.', not ''"),
        ("project_name: \"a\\nb\"",         "project_name: expected 1 to 128 characters on one line other than '.', not 'a\\nb'"),
        ("default_profile: minimal-cobol",  "default_profile: expected the name of a profile (PROFILES), not 'minimal-cobol'"),
        ("default_persist: 'true'",         "default_persist: expected true or false, not 'true'"),
        ("auto_log:",                       "auto_log: expected true or false, not nothing"),
        ("max_log_size: lots",              "max_log_size: expected a size from 1k to 1t, such as 10m, or 0, not 'lots'"),
        ("max_log_size: 1023",              "max_log_size: expected a size from 1k to 1t, such as 10m, or 0, not 1023"),
        ("max_log_size: 2t",                "max_log_size: expected a size from 1k to 1t, such as 10m, or 0, not '2t'"),
        ("max_logs_per_instance: -1",       "max_logs_per_instance: expected a number from 0 to 1000000, not -1"),
        ("max_logs_per_instance: 1000001",  "max_logs_per_instance: expected a number from 0 to 1000000, not 1000001"),
        ("retention_days: 1.5",             "retention_days: expected a number from 0 to 36500, not 1.5"),
        ("retention_days: [1]",             "retention_days: expected a number from 0 to 36500, not a list"),
        ("socket: x.sock",                  "socket: expected an absolute path or unix:///PATH, not 'x.sock'"),
        ("socket: 1",                       "socket: expected an absolute path or unix:///PATH, not 1"),
        ("log_level: loud",                 "log_level: expected error, warn, info or debug, not 'loud'"),
        ("idle_timeout: 5x",                "idle_timeout: expected a duration from 1s to 365d, such as 30m, or 0, not '5x'"),
        ("idle_timeout: 1ms",               "idle_timeout: expected a duration from 1s to 365d, such as 30m, or 0, not '1ms'"),
        ("idle_timeout: {a: 1}",            "mappings in braces are not supported, at column 15"),
        ("socket:\n  a: 1",                 "socket: expected an absolute path or unix:///PATH, not a mapping"),
        ("logging: 1",                      "logging: expected keys below it"),
        ("auto_log: true\nauto_log: true",  "LINE 3: the key 'auto_log' is on line 2 already, at column 1"),
        ("auto_log: true\nlogging:\n  auto_log: true", "LINE 4: logging.auto_log: it is on line 2 already"),
    ];
    let profiles: Vec<_> = pocketdock_core::list_profiles()
        .iter()
        .map(|p| p.name)
        .collect();
    for (line, want) in cases {
        let place = Place::new().project(&format!("# a comment\n{line}\n"));
        let want = want.replace("PROFILES", &profiles.join(", "));
        let want = match want.strip_prefix("LINE ") {
            Some(numbered) => format!("line {numbered}"),
            None => format!("line 2: {want}"),
        };
        let want = format!("cannot use '/home/work/.pocketdock/pocketdock.yaml', {want}");
        assert_eq!(place.error(), want, "{line}");
    }
    let error = Place::new().user("socket: tcp://host:2375\n").error();
    assert!(error.contains("ssh -nNT -L"), "{error}");
}

#[test]
fn keys_without_effect_are_warnings() {
    let place = Place::new()
        .user("project_name: x\nnothing_near: 1\n")
        .project("sokcet: 1\nlogging:\n  socket: /run/evil.sock\n  max_logsize: 1m\n");
    let config = place.config().unwrap();
    let warnings: Vec<_> = config.warnings().iter().map(ToString::to_string).collect();
    let (user, project) = ("pocketdock/pocketdock.yaml", ".pocketdock/pocketdock.yaml");
    #[rustfmt::skip] // one case per line
    let ends = [
        format!("{user}:1: 'project_name' has an effect in a project's own file only"),
        format!("{user}:2: unknown key 'nothing_near'"),
        format!("{project}:1: unknown key 'sokcet'; did you mean 'socket'?"),
        format!("{project}:3: 'socket' has no effect under 'logging': it belongs above"),
        format!("{project}:4: unknown key 'max_logsize'; did you mean 'max_log_size'?"),
    ];
    assert_eq!(warnings.len(), ends.len(), "{warnings:?}");
    for (warning, end) in warnings.iter().zip(ends) {
        assert!(warning.ends_with(&end), "{warning}");
    }
    assert_eq!(config.socket(), None);
}

#[test]
fn files_that_cannot_be_read_are_errors_that_name_them() {
    let file = "home/work/.pocketdock/pocketdock.yaml";
    let place = Place::new().project("a: b: c\n");
    assert_eq!(
        place.error(),
        format!("cannot use '/{file}', line 1: ': ' in a value: quote it, at column 5")
    );
    let path = place.scratch.join(file);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    let error = place.error();
    // Whoever may read everything, reads this, too.
    let denied = fs::read(&path).is_err();
    let start = format!("cannot read '/{file}': Permission denied");
    assert_eq!(error.starts_with(&start), denied, "{error}");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert_eq!(
        place.error(),
        format!("cannot use '/{file}': it is not a file")
    );
    fs::remove_dir(&path).unwrap();
    symlink("nowhere", &path).unwrap();
    let error = place.error();
    assert!(
        error.starts_with(&format!("cannot read '/{file}': ")),
        "{error}"
    );
    fs::remove_file(&path).unwrap();
    symlink(&path, &path).unwrap();
    let error = place.error();
    assert!(
        error.starts_with(&format!("cannot read '/{file}': ")),
        "{error}"
    );
    fs::remove_file(&path).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success());
    assert_eq!(
        place.error(),
        format!("cannot use '/{file}': it is not a file")
    );
    fs::remove_file(&path).unwrap();
    fs::write(&path, vec![b'#'; 300_000]).unwrap();
    let want = format!("cannot use '/{file}', line 1: longer than 262144 bytes, at column 1");
    assert_eq!(place.error(), want);
}

#[test]
fn the_socket_key_is_an_explicit_choice() {
    let nearer = FakeEngine::route(|_| Reply::ping("1.41", Some("nearer")));
    let place = Place::new()
        .user("socket: /nonexistent/user.sock\n")
        .project(&format!("# x\nsocket: {}\n", nearer.socket().display()));
    let options = EngineOptions::new().environment(place.environment.clone());
    let engine = options.connect().unwrap();
    assert_eq!(engine.version(), "nearer");
    assert!(
        engine.socket_source().starts_with("line 2 of '"),
        "{}",
        engine.socket_source()
    );

    fs::remove_dir_all(place.scratch.join("home/work/.pocketdock")).unwrap();
    let error = options.connect().unwrap_err().to_string();
    assert!(error.contains("'/nonexistent/user.sock'"), "{error}");
    assert!(
        error.contains("line 1 of '") && error.contains(".config"),
        "{error}"
    );

    let place = place.user("socket: tcp://host:1\n");
    let options = EngineOptions::new().environment(place.environment.clone());
    let error = options.connect().unwrap_err();
    assert!(matches!(error, Error::Config { line: 1, .. }), "{error:?}");

    let mut environment = place.environment.clone();
    environment.docker_host = Some(nearer.socket().as_os_str().to_owned());
    let options = EngineOptions::new().environment(environment);
    assert_eq!(
        options.connect().unwrap().socket_source(),
        "DOCKER_HOST",
        "no file is needed"
    );
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn listing(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_new_project_has_private_files_that_read_as_what_was_asked() {
    let scratch = Scratch::new();
    let names = [
        "web",
        "a: b",
        "it's \"x\" \\ #1",
        "- yes",
        "null",
        "é\u{2028}値 😀",
        " x ",
    ];
    for (n, name) in names.into_iter().enumerate() {
        let root = scratch.join(&format!("p{n}"));
        fs::create_dir(&root).unwrap();
        let report = init_project(&root, Some(name), Some("minimal-python")).unwrap();
        assert!(report.created);
        let dir = root.join(".pocketdock");
        assert_eq!(listing(&dir), [".gitignore", "pocketdock.yaml"]);
        assert_eq!(listing(&root), [".pocketdock"]);
        let modes = [&dir, &report.config_file, &dir.join(".gitignore")].map(|path| mode(path));
        assert_eq!(modes, [0o700, 0o600, 0o600]);
        assert_eq!(
            fs::read_to_string(dir.join(".gitignore")).unwrap(),
            "instances/\n"
        );
        let config = Config::of(Some(root), &Environment::default()).unwrap();
        assert_eq!(config.project().unwrap().name, name);
        assert!(config.warnings().is_empty());
    }
}

/// What the template shows as a default is the default: uncommented, it changes nothing.
#[test]
fn the_template_shows_every_key_with_its_default() {
    let scratch = Scratch::new();
    let report = init_project(scratch.path(), None, None).unwrap();
    let text = fs::read_to_string(&report.config_file).unwrap();
    let uncommented: String = text
        .lines()
        .map(|line| match line.trim_start().strip_prefix("# ") {
            Some(key) if key.contains(": ") && !key.ends_with('.') => line.replacen("# ", "", 1),
            _ => line.to_owned(),
        })
        .map(|line| line + "\n")
        .collect();
    fs::write(&report.config_file, uncommented).unwrap();
    let config = Config::of(Some(report.root), &Environment::default()).unwrap();
    assert!(config.warnings().is_empty(), "{:?}", config.warnings());
    let keys = [
        "project_name",
        "default_profile",
        "default_persist",
        "auto_log",
        "max_log_size",
        "max_logs_per_instance",
        "retention_days",
        "socket",
        "log_level",
        "idle_timeout",
    ];
    for key in keys {
        assert_ne!(
            config.origin(key).to_string(),
            "the default",
            "{key} is not shown"
        );
    }
    let defaults = Config::default();
    assert_eq!(config.default_profile(), defaults.default_profile());
    assert_eq!(config.default_persist(), defaults.default_persist());
    assert_eq!(config.auto_log(), defaults.auto_log());
    assert_eq!(config.max_log_size(), defaults.max_log_size());
    assert_eq!(
        config.max_logs_per_instance(),
        defaults.max_logs_per_instance()
    );
    assert_eq!(config.retention_days(), defaults.retention_days());
    assert_eq!(config.log_level(), defaults.log_level());
    assert_eq!(config.idle_timeout(), defaults.idle_timeout());
}

#[test]
fn a_project_is_left_as_it_is_and_what_it_lacks_is_made() {
    let scratch = Scratch::new();
    let file = scratch.write(".pocketdock/pocketdock.yaml", b"retention_days: 1\n");
    assert!(
        !init_project(scratch.path(), Some("other"), None)
            .unwrap()
            .created
    );
    assert_eq!(fs::read(&file).unwrap(), b"retention_days: 1\n");
    assert_eq!(listing(&scratch.join(".pocketdock")), ["pocketdock.yaml"]);

    // The settings were removed; instances, and what the user ignores, stay.
    fs::remove_file(&file).unwrap();
    scratch.write(".pocketdock/instances/x/instance.json", b"{}");
    scratch.write(".pocketdock/.gitignore", b"mine\n");
    assert!(init_project(scratch.path(), None, None).unwrap().created);
    let names = [".gitignore", "instances", "pocketdock.yaml"];
    assert_eq!(listing(&scratch.join(".pocketdock")), names);
    assert_eq!(
        fs::read(scratch.join(".pocketdock/.gitignore")).unwrap(),
        b"mine\n"
    );
}

#[test]
fn what_cannot_be_a_project_is_refused_and_nothing_is_left() {
    let scratch = Scratch::new();
    let root = scratch.path();
    let long = "x".repeat(129);
    let code = |name, profile| init_project(root, name, profile).unwrap_err().code();
    assert_eq!(code(Some(""), None), "invalid_argument");
    assert_eq!(code(Some("a\nb"), None), "invalid_argument");
    assert_eq!(code(Some(&long), None), "invalid_argument");
    assert_eq!(code(None, Some("nope")), "unknown_profile");
    let code = |path: PathBuf| init_project(&path, None, None).unwrap_err().code();
    assert_eq!(code(scratch.join("gone")), "path_not_found");
    assert_eq!(code(scratch.write("file", b"")), "not_a_directory");
    assert_eq!(code(scratch.join("file/x")), "not_a_directory");
    assert_eq!(listing(root), ["file"]);
    scratch.write("sub/.pocketdock", b"");
    assert_eq!(code(scratch.join("sub")), "not_a_directory");
    assert_eq!(code(PathBuf::from("/proc")), "io");
}

#[test]
fn of_many_who_make_a_project_one_does() {
    for round in 0..40 {
        let scratch = Scratch::new();
        if round % 2 == 1 {
            fs::create_dir(scratch.join(".pocketdock")).unwrap();
        }
        let made: usize = std::thread::scope(|scope| {
            let root = scratch.path();
            let make = |n: u32| {
                init_project(root, Some(&format!("p{n}")), None)
                    .unwrap()
                    .created
            };
            let threads: Vec<_> = (0..8).map(|n| scope.spawn(move || make(n))).collect();
            let outcomes = threads.into_iter().map(|thread| thread.join().unwrap());
            outcomes.map(usize::from).sum()
        });
        assert_eq!(made, 1);
        assert_eq!(listing(scratch.path()), [".pocketdock"]);
        assert_eq!(listing(&scratch.join(".pocketdock")).len(), 2);
    }
}

#[test]
fn roots_are_found_from_below_through_links_and_after_a_move() {
    let scratch = Scratch::new();
    let base = fs::canonicalize(scratch.path()).unwrap();
    let root = base.join("web");
    fs::create_dir_all(root.join("a/b")).unwrap();
    init_project(&root, None, None).unwrap();
    assert_eq!(find_project_root(&root).unwrap(), root);
    assert_eq!(find_project_root(&root.join("a/b")).unwrap(), root);
    symlink(root.join("a"), base.join("link")).unwrap();
    assert_eq!(find_project_root(&base.join("link/b")).unwrap(), root);

    let moved = base.join("api");
    fs::rename(&root, &moved).unwrap();
    assert_eq!(find_project_root(&moved.join("a")).unwrap(), moved);
    let config = Config::of(Some(moved), &Environment::default()).unwrap();
    assert_eq!(
        config.project().unwrap().name,
        "web",
        "the name is in the file"
    );

    let error = find_project_root(&base).unwrap_err();
    assert!(
        matches!(error, Error::ProjectNotInitialized { .. }),
        "{error:?}"
    );
    let error = find_project_root(&root).unwrap_err();
    assert!(matches!(error, Error::PathNotFound { .. }), "{error:?}");
    let error = find_project_root(Path::new("/dev/null")).unwrap_err();
    assert!(matches!(error, Error::NotADirectory { .. }), "{error:?}");
}
