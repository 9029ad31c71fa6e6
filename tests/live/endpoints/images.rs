//! The endpoints under `/images`, and `/build` and `/commit`.

use std::io::{self, Write};

use pocketdock_core::Error;
use pocketdock_core::engine::exchange::RequestBody;
use pocketdock_core::engine::images::{self, BuildConfig};
use pocketdock_core::engine::{archive, containers};
use pocketdock_core::wire::tar::header::Header;
use pocketdock_core::wire::tar::write::Writer;

use crate::fixture::{Foreign, Live};

/// Takes a name off its image when a test ends.
struct Name<'a> {
    live: &'a Live,
    repository: String,
}

impl<'a> Name<'a> {
    fn new(live: &'a Live) -> Self {
        let repository = format!("localhost/{}", live.name());
        Name { live, repository }
    }

    fn full(&self) -> String {
        format!("{}:1", self.repository)
    }

    fn exists(&self) -> bool {
        images::inspect(self.live.client(), &self.full())
            .unwrap()
            .is_some()
    }
}

impl Drop for Name<'_> {
    fn drop(&mut self) {
        let _gone_already = images::remove(self.live.client(), &self.full());
    }
}

/// Writes a build context that is this Dockerfile and a file.
fn context(dockerfile: &str, out: &mut dyn Write) -> io::Result<()> {
    let mut writer = Writer::new(out);
    for (name, text) in [("Dockerfile", dockerfile), ("greeting", "hello")] {
        let header = Header::file(name.as_bytes(), text.len() as u64);
        let appended = writer.append(&header, &mut text.as_bytes());
        appended.map_err(io::Error::other)?;
    }
    writer.finish().map(drop).map_err(io::Error::other)
}

/// Builds and gives the image's ID and what the engine printed.
fn build(live: &Live, config: &BuildConfig, dockerfile: &str) -> Result<(String, String), Error> {
    let mut log = String::new();
    let id = images::build(
        live.client(),
        config,
        &mut |out| context(dockerfile, out),
        &mut |document| log += document.str_at(&["stream"]).unwrap_or_default(),
    )?;
    Ok((id, log))
}

#[test]
fn build_with_everything() {
    let Some(live) = Live::begin() else { return };
    let name = Name::new(&live);
    let dockerfile = format!(
        "FROM {}\nARG WHO\nCOPY greeting /greeting\n\
         RUN echo \"$(cat /greeting) $WHO\" | tee /said\n",
        live.image()
    );
    let config = BuildConfig {
        tags: vec![name.full()],
        build_args: vec![("WHO".to_owned(), "w\u{f6}rld & co".to_owned())],
        labels: vec![("a".to_owned(), "b=c d".to_owned())],
        no_cache: true,
        network: "host".to_owned(),
        ..BuildConfig::default()
    };
    let (id, log) = build(&live, &config, &dockerfile).unwrap();
    assert!(log.contains("hello w\u{f6}rld & co"), "{log}");
    let found = images::inspect(live.client(), &name.full())
        .unwrap()
        .unwrap();
    let found_id = found.str_at(&["Id"]).unwrap();
    assert!(
        found_id.contains(id.trim_start_matches("sha256:")),
        "{id} is {found_id}"
    );
    assert_eq!(found.str_at(&["Config", "Labels", "a"]), Some("b=c d"));
}

#[test]
fn builds_that_fail() {
    let Some(live) = Live::begin() else { return };
    let from = live.image();
    let cases = [
        (
            "a step",
            format!("FROM {from}\nRUN echo before; exit 42\n"),
            "42",
        ),
        ("an instruction", format!("FROM {from}\nFOO bar\n"), "FOO"),
        (
            "a file to copy",
            format!("FROM {from}\nCOPY nothing /x\n"),
            "nothing",
        ),
        ("nothing", String::new(), ""),
    ];
    for (what, dockerfile, word) in cases {
        match build(&live, &BuildConfig::default(), &dockerfile) {
            Err(Error::BuildFailed { message, .. }) => {
                assert!(
                    message.to_lowercase().contains(&word.to_lowercase()),
                    "{what}: {message}"
                );
            }
            other => panic!("{what}: {other:?}"),
        }
    }
}

#[test]
fn names_are_given_found_and_taken() {
    let Some(live) = Live::begin() else { return };
    let client = live.client();
    let name = Name::new(&live);
    assert!(!name.exists());
    images::tag(client, live.image(), &name.repository, "1").unwrap();
    assert!(name.exists());
    let listed = images::list(client).unwrap();
    let tags = listed
        .iter()
        .filter_map(|image| image.array_at(&["RepoTags"]));
    let mut tags = tags.flatten().filter_map(|tag| tag.as_str());
    assert!(tags.any(|tag| tag == name.full()));
    images::remove(client, &name.full()).unwrap();
    assert!(!name.exists());
    assert!(images::inspect(client, live.image()).unwrap().is_some());
}

#[test]
fn saved_and_loaded() {
    let Some(live) = Live::begin() else { return };
    let client = live.client();
    let (one, two) = (Name::new(&live), Name::new(&live));
    for name in [&one, &two] {
        images::tag(client, live.image(), &name.repository, "1").unwrap();
    }
    let mut streaming = images::get(client, &[&one.full(), &two.full()]).unwrap();
    let archive = streaming.body.read_all(100_000_000).unwrap();
    for name in [&one, &two] {
        images::remove(client, &name.full()).unwrap();
    }
    let said = images::load(client, &mut archive.as_slice())
        .unwrap()
        .concat();
    for name in [&one, &two] {
        assert!(said.contains(&name.full()), "{said}");
        assert!(name.exists());
    }
    let half = &archive[..archive.len() / 2];
    for bad in [half, &[7; 4000], b""] {
        let refused = images::load(client, &mut &*bad);
        assert!(
            matches!(refused, Err(Error::ImportFailed { .. })),
            "{refused:?}"
        );
    }
}

#[test]
fn committed() {
    let Some(live) = Live::begin() else { return };
    let client = live.client();
    let name = Name::new(&live);
    let container = Foreign::created(&live);
    let mut file = Writer::new(Vec::new());
    file.append(&Header::file(b"kept", 3), &mut b"yes".as_slice())
        .unwrap();
    let file = file.finish().unwrap();
    archive::put(client, container.id(), "/", RequestBody::Bytes(&file)).unwrap();
    let changes = ["LABEL a=b".to_owned(), "ENV X=\"y z\"".to_owned()];
    let id = images::commit(client, container.id(), &name.repository, "1", &changes).unwrap();
    let found = images::inspect(client, &name.full()).unwrap().unwrap();
    let found_id = found.str_at(&["Id"]).unwrap();
    assert!(found_id.contains(id.trim_start_matches("sha256:")));
    assert_eq!(found.str_at(&["Config", "Labels", "a"]), Some("b"));
    let env = found.array_at(&["Config", "Env"]).unwrap();
    assert!(
        env.iter().any(|pair| pair.as_str() == Some("X=y z")),
        "{env:?}"
    );
    let made = live.create(&live.options().image(&name.full()));
    assert_eq!(made.run("cat /kept").unwrap().stdout, b"yes");
}

#[test]
fn what_is_not_there() {
    let Some(live) = Live::begin() else { return };
    let client = live.client();
    let image = "localhost/pd-live-none:1";
    assert!(images::inspect(client, image).unwrap().is_none());
    let outcomes = [
        images::tag(client, image, "localhost/pd-live-other", "1").err(),
        images::remove(client, image).err(),
        images::get(client, &[image]).err(),
    ];
    for (n, error) in outcomes.into_iter().enumerate() {
        match error {
            Some(Error::ImageNotFound { image: missing }) => assert_eq!(missing, image),
            other => panic!("number {n}: {other:?}"),
        }
    }
    let committed = images::commit(client, "pd-live-none", "localhost/x", "1", &[]);
    assert!(
        matches!(committed, Err(Error::ContainerNotFound { .. })),
        "{committed:?}"
    );
}

#[test]
fn an_image_in_use_is_kept_and_so_is_its_container() {
    let Some(live) = Live::begin() else { return };
    let client = live.client();
    let name = Name::new(&live);
    let dockerfile = format!("FROM {}\nLABEL only=this\n", live.image());
    let config = BuildConfig {
        tags: vec![name.full()],
        ..BuildConfig::default()
    };
    build(&live, &config, &dockerfile).unwrap();
    let sandbox = live.create(&live.options().image(&name.full()));
    let refused = images::remove(client, &name.full());
    assert!(
        matches!(refused, Err(Error::Engine { status: 409, .. })),
        "{refused:?}"
    );
    assert!(containers::inspect(client, sandbox.container_id()).is_ok());
    assert!(sandbox.run("true").unwrap().ok());
}
