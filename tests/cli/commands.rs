//! The table of commands and options, read from `docs/cli.md`.
//!
//! A unit test of the program compares that file with the table itself, word for word, so what is
//! here is what the program has, and a command that is added to it is here, too.

const REFERENCE: &str = include_str!("../../docs/cli.md");

/// One command.
#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) name: String,
    pub(crate) options: Vec<Opt>,
}

/// One option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Opt {
    pub(crate) long: String,
    pub(crate) short: Option<char>,
    /// The name of its value; empty for a flag.
    pub(crate) value: String,
    /// A value to copy; empty for a flag.
    pub(crate) example: String,
}

/// Every command with its own options.
pub(crate) fn commands() -> Vec<Command> {
    let sections = REFERENCE.split("\n## ").skip(1);
    let commands = sections.filter(|section| section.contains("\n```text\npocketdock "));
    commands
        .map(|section| Command {
            name: section.lines().next().unwrap().to_owned(),
            options: options(section),
        })
        .collect()
}

/// The options of every command.
pub(crate) fn globals() -> Vec<Opt> {
    options(REFERENCE.split("\n## ").next().unwrap())
}

/// Those of the rows of tables that are options: ``| `-q, --quiet` | …; such as `x` |``.
fn options(section: &str) -> Vec<Opt> {
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter(|row| row.starts_with('-'))
        .map(option)
        .collect()
}

fn option(row: &str) -> Opt {
    let row = row.replace("\\|", "|");
    let (spelling, help) = row.split_once("` | ").unwrap();
    let (short, long) = match spelling.split_once(", ") {
        Some((short, long)) => (short.chars().nth(1), long),
        None => (None, spelling),
    };
    let (long, value) = long.split_once(' ').unwrap_or((long, ""));
    let example = help.rsplit_once("; such as `").map_or("", |(_, it)| it);
    Opt {
        long: long.to_owned(),
        short,
        value: value.to_owned(),
        example: example.trim_end_matches("` |").to_owned(),
    }
}

#[test]
fn the_reference_is_read_whole() {
    let commands = commands();
    assert_eq!(commands.len(), 21, "{commands:?}");
    let create = commands.iter().find(|it| it.name == "create").unwrap();
    let volume = create
        .options
        .iter()
        .find(|it| it.long == "--volume")
        .unwrap();
    let want = Opt {
        long: "--volume".to_owned(),
        short: Some('v'),
        value: "HOST:CONTAINER[:ro|rw]".to_owned(),
        example: "./data:/data:ro".to_owned(),
    };
    assert_eq!(volume, &want);
    let longs: Vec<_> = globals().into_iter().map(|opt| opt.long).collect();
    assert!(longs.contains(&"--json".to_owned()), "{longs:?}");
    let all = commands.iter().flat_map(|command| &command.options);
    for opt in all.chain(&globals()) {
        assert_eq!(opt.value.is_empty(), opt.example.is_empty(), "{opt:?}");
    }
}
