//! The one table of commands and options.
//!
//! Parsing, `--help`, `help COMMAND`, "did you mean", the completions, the man
//! page and `docs/cli.md` are all made from [`COMMANDS`] and [`GLOBAL_OPTIONS`],
//! so they can not disagree. Adding a command is one entry here and one function
//! in `commands`.
//!
//! The entries stand in the order in which help shows them. Texts are plain; the
//! renderers in `help.rs`, `man.rs` and `completions.rs` dress them.

use crate::args::{Args, Tail};
use crate::commands::{care, exec, files, images, init, lifecycle, logs, look, shell, transfer};
use crate::failure::Outcome;
use crate::option::{Opt, flag, option};
use crate::output::Console;

/// One command: how it is typed, what it says about itself, what it does.
#[derive(Debug)]
pub(crate) struct Command {
    /// The word that names it.
    pub(crate) name: &'static str,
    /// The heading it stands under.
    pub(crate) section: Section,
    /// Its line in the overview.
    pub(crate) summary: &'static str,
    /// What follows the name, one line per form.
    pub(crate) forms: &'static [&'static str],
    /// What it does, a paragraph per element.
    pub(crate) about: &'static [&'static str],
    /// Its own options, by heading.
    pub(crate) groups: &'static [Group],
    /// What its positionals are, for the completions.
    pub(crate) operands: &'static [Operand],
    /// Where its options end.
    pub(crate) tail: Tail,
    /// Lines to copy.
    pub(crate) examples: &'static [Example],
    /// The exit code when pocketdock or the engine failed.
    pub(crate) failure_code: u8,
    /// The function that does it.
    pub(crate) run: fn(Args, &mut Console<'_>) -> Outcome,
}

/// The exit code of a command that runs another one, when pocketdock or the engine failed.
pub(crate) const RUN_FAILED: u8 = 125;

/// Options under a heading.
#[derive(Debug)]
pub(crate) struct Group {
    /// The heading.
    pub(crate) title: &'static str,
    /// The options.
    pub(crate) options: &'static [Opt],
}

/// What commands are about; help shows them in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    /// Running something.
    Code,
    /// What there is and what becomes of it.
    Sandboxes,
    /// Into a sandbox and out of it.
    Files,
    /// What sandboxes are made from.
    Images,
    /// Directories of the host, and whether all is well.
    Projects,
}

impl Section {
    /// The heading.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Code => "Run code",
            Self::Sandboxes => "Sandboxes",
            Self::Files => "Files",
            Self::Images => "Images",
            Self::Projects => "Projects and health",
        }
    }
}

/// What a positional of a command names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operand {
    /// A sandbox.
    Container,
    /// This and all that follow: sandboxes.
    Containers,
    /// This and all that follow: profiles.
    Profiles,
    /// An image.
    Image,
    /// A path on the host.
    Path,
    /// A path in the sandbox.
    Inside,
}

/// A line to copy and what it does.
#[derive(Debug)]
pub(crate) struct Example {
    /// The line, without `pocketdock`.
    pub(crate) line: &'static str,
    /// What it does.
    pub(crate) what: &'static str,
}

impl Command {
    /// The command called `name`.
    pub(crate) fn find(name: &str) -> Option<&'static Self> {
        COMMANDS.iter().find(|command| command.name == name)
    }

    /// Its own options without their headings.
    pub(crate) fn options(&self) -> impl Iterator<Item = &'static Opt> {
        self.groups.iter().flat_map(|group| group.options)
    }
}

const fn example(line: &'static str, what: &'static str) -> Example {
    Example { line, what }
}

/// The options of every command, before or after its name.
pub(crate) const GLOBAL_OPTIONS: &[Opt] = &[
    option(
        "--socket",
        "PATH",
        "/run/podman/podman.sock",
        "use the engine behind this socket",
    )
    .default("the first that answers; see POCKETDOCK_SOCKET"),
    flag("--json", "print data and errors as JSON"),
    flag("--quiet", "print no messages but errors").short('q'),
    flag(
        "--verbose",
        "print each request to the engine on stderr (-v only before the command)",
    ),
    option(
        "--color",
        "WHEN",
        "never",
        "use colour: auto, always or never",
    )
    .default("auto"),
    flag("--no-input", "never ask; what would ask is refused"),
    flag("--help", "print help").short('h'),
    flag("--version", "print the version").short('V'),
    option(
        "--completions",
        "SHELL",
        "bash",
        "print completions for bash, zsh or fish",
    ),
    flag("--man", "print the man page"),
];

/// What `-v` means before the command; after `create` and `run` it is a volume.
pub(crate) const LEADING_OPTIONS: &[Opt] =
    &[flag("--verbose", "print each request to the engine on stderr").short('v')];

/// The exit codes, as help shows them.
pub(crate) const EXIT_CODES: &[(&str, &str)] = &[
    ("0", "done"),
    ("1", "the operation failed"),
    ("2", "wrong usage; nothing was done"),
    ("run, shell", "the command's own code, and"),
    ("124", "the command timed out"),
    ("125", "pocketdock or the engine failed"),
    ("126", "the command can not be executed"),
    ("127", "the command was not found"),
    ("128+n", "the command was killed by signal n"),
    ("129, 131, 143", "SIGHUP, SIGQUIT, SIGTERM ended pocketdock"),
];

/// The environment variables, as help shows them.
pub(crate) const VARIABLES: &[(&str, &str)] = &[
    ("POCKETDOCK_SOCKET", "the engine's socket, as --socket"),
    (
        "DOCKER_HOST, CONTAINER_HOST",
        "unix:// addresses, as docker and podman read them",
    ),
    ("DOCKER_CONTEXT", "the docker context whose socket is used"),
    (
        "NO_COLOR, CLICOLOR_FORCE",
        "no colour; colour without a terminal",
    ),
];

const IMAGE: Group = Group {
    title: "Image",
    options: &[
        option(
            "--image",
            "IMAGE",
            "debian:trixie-slim",
            "make it from this image; nothing is pulled",
        ),
        option(
            "--profile",
            "PROFILE",
            "minimal-python",
            "make it from the image of this profile",
        ),
    ],
};

const IDENTITY: Group = Group {
    title: "Name and life",
    options: &[
        NAME,
        flag(
            "--persist",
            "keep its instance directory and spare it from prune",
        ),
        LABEL,
        PROJECT,
        TTL,
        NO_INIT,
    ],
};

const ONE_SHOT_IDENTITY: Group = Group {
    title: "Name and life (with --image or --profile)",
    options: &[NAME, LABEL, PROJECT, TTL, NO_INIT],
};

const NAME: Opt = option(
    "--name",
    "NAME",
    "web",
    "its name, letters, digits, '_', '.' and '-'",
)
.default("pd- and 8 hex digits");
const LABEL: Opt = option("--label", "KEY=VALUE", "team=blue", "a label")
    .short('l')
    .repeats();
const PROJECT: Opt = option("--project", "PROJECT", "demo", "the project it belongs to")
    .default("that of this directory");
const TTL: Opt = option(
    "--ttl",
    "DURATION",
    "8h",
    "let it end and remove itself after this time",
);
const NO_INIT: Opt = flag("--no-init", "run no init process that reaps orphans");

const LIMITS: &[Opt] = &[
    option("--mem-limit", "SIZE", "512m", "memory; 0 means no limit").default("none"),
    option(
        "--cpu-percent",
        "N",
        "150",
        "CPU, 100 being one core; 0 means no limit",
    )
    .default("none"),
    option("--pids-limit", "N", "256", "processes; 0 means no limit").default("1024"),
];

const FILES: &[Opt] = &[
    option(
        "--volume",
        "HOST:CONTAINER[:ro|rw]",
        "./data:/data:ro",
        "show a host path in it",
    )
    .short('v')
    .repeats(),
    option(
        "--device",
        "HOST[:CONTAINER[:rwm]]",
        "/dev/ttyUSB0",
        "give it a host device",
    )
    .repeats(),
    option(
        "--tmpfs",
        "DIR[:OPTIONS]",
        "/scratch:size=64m",
        "put a memory file system there, OPTIONS being size=SIZE,mode=MODE",
    )
    .repeats(),
    flag("--read-only", "make its root file system read-only"),
];

const NETWORK: &[Opt] = &[
    flag("--network", "give it a network").default("the profile's; off for an image"),
    flag("--no-network", "give it none"),
    option(
        "--port",
        "[ADDR:][HOST]:CONTAINER[/udp]",
        "8080:80",
        "publish a port on 127.0.0.1; turns the network on",
    )
    .short('p')
    .repeats(),
];

const SECURITY: &[Opt] = &[
    flag(
        "--hardened",
        "drop all capabilities, read-only root, no network, 256 pids, 512m",
    ),
    option("--cap-drop", "CAPABILITY", "ALL", "take a capability away").repeats(),
    option(
        "--cap-add",
        "CAPABILITY",
        "NET_BIND_SERVICE",
        "give a capability",
    )
    .repeats(),
];

const ENV: Opt = option(
    "--env",
    "KEY[=VALUE]",
    "LANG=C.UTF-8",
    "an environment variable; without a value, ours",
)
.short('e')
.repeats();
const ENV_FILE: Opt = option(
    "--env-file",
    "FILE",
    "./settings.env",
    "environment variables, one KEY=VALUE a line",
)
.repeats();
const WORKDIR: Opt = option("--workdir", "DIR", "/srv", "the working directory").short('w');
const USER: Opt = option("--user", "USER[:GROUP]", "1000:1000", "the user").short('u');

const INIT: Command = Command {
    name: "init",
    section: Section::Projects,
    summary: "make a directory a project",
    forms: &["[PATH] [--name NAME] [--profile PROFILE]"],
    about: &[
        "Makes PATH, or the working directory, a project: a .pocketdock/ in it with a settings \
         file that shows every key, and prints where the project is. Sandboxes that are made in \
         it or below it belong to it.",
        "A directory that is a project already is left as it is.",
    ],
    groups: &[Group {
        title: "Options",
        options: &[
            option(
                "--name",
                "NAME",
                "web",
                "what its sandboxes are labelled with",
            )
            .default("the directory's name"),
            option(
                "--profile",
                "PROFILE",
                "minimal-python",
                "the profile of 'create' without --image and --profile",
            ),
        ],
    }],
    operands: &[Operand::Path],
    tail: Tail::None,
    examples: &[
        example("init", "the working directory"),
        example(
            "init ./api --name 'my api'",
            "another directory, under a name of its own",
        ),
    ],
    failure_code: 1,
    run: init::init,
};

const CREATE: Command = Command {
    name: "create",
    section: Section::Code,
    summary: "make a sandbox and start it",
    forms: &["[OPTIONS]"],
    about: &[
        "Makes a sandbox, starts it and prints its name. It stays until 'shutdown' removes it.",
        "Without --image and --profile it is made from the profile that the settings name, or \
         minimal-python. In a project it belongs to that project.",
    ],
    groups: &[
        IMAGE,
        IDENTITY,
        Group {
            title: "Commands in it",
            options: &[
                option(
                    "--timeout",
                    "DURATION",
                    "5m",
                    "end its commands after this long; 0 means never",
                )
                .default("30s"),
                ENV,
                ENV_FILE,
                WORKDIR,
                USER,
            ],
        },
        Group {
            title: "Limits",
            options: LIMITS,
        },
        Group {
            title: "Files",
            options: FILES,
        },
        Group {
            title: "Network",
            options: NETWORK,
        },
        Group {
            title: "Security",
            options: SECURITY,
        },
    ],
    operands: &[],
    tail: Tail::None,
    examples: &[
        example("create --name box", "a sandbox for Python"),
        example(
            "create --profile dev -v .:/work -w /work",
            "work on this directory",
        ),
        example(
            "create --hardened --mem-limit 256m --ttl 1h",
            "for code you do not trust",
        ),
    ],
    failure_code: 1,
    run: lifecycle::create,
};

const SHELL: Command = Command {
    name: "shell",
    section: Section::Code,
    summary: "open a shell in a sandbox, on this terminal",
    forms: &["CONTAINER [OPTIONS] [-- COMMAND [ARG...]]"],
    about: &[
        "Opens bash, or sh where there is none, on a terminal in the sandbox: with job control, \
         in the size of this one and following its changes. The exit code is the shell's.",
        "Every key goes to the shell, Ctrl-C, Ctrl-D and Ctrl-Z included. No docker or podman \
         program is needed.",
    ],
    groups: &[Group {
        title: "Command",
        options: &[USER, WORKDIR],
    }],
    operands: &[Operand::Container],
    tail: Tail::AfterOneUnless(&[]),
    examples: &[
        example("shell box", "a shell"),
        example("shell box -u root -w /etc", "as another user, elsewhere"),
        example("shell box -- python3", "another program on a terminal"),
    ],
    failure_code: RUN_FAILED,
    run: shell::shell,
};

const RUN: Command = Command {
    name: "run",
    section: Section::Code,
    summary: "run a command in a sandbox",
    forms: &[
        "CONTAINER [OPTIONS] [--] COMMAND [ARG...]",
        "--image IMAGE|--profile PROFILE [OPTIONS] [--] COMMAND [ARG...]",
    ],
    about: &[
        "Runs a command and passes its output on as it arrives, byte for byte. The exit code is \
         the command's.",
        "One argument is a line for the sandbox's shell; several are a program and its arguments, \
         run as they are. What follows the first word of the command belongs to it, options \
         included.",
        "With --image or --profile a sandbox is made for this one command and removed after it.",
        "Ctrl-C interrupts the command in the sandbox; a second one kills it and all it started.",
        "With --detach the command goes on in the background, with a time limit only if --timeout \
         gives one. A process of ours stays with it and writes its output and its end where \
         'logs' finds them; ending that process by SIGTERM ends the command. -i then needs a file \
         or a pipe.",
    ],
    groups: &[
        Group {
            title: "Command",
            options: &[
                flag(
                    "--shell",
                    "join the arguments with spaces into a line for the shell",
                )
                .short('c'),
                option(
                    "--lang",
                    "LANGUAGE",
                    "python",
                    "the command is code: python, node, bun, bash, sh, ruby or perl",
                ),
                flag("--stdin", "pass our stdin on; it is /dev/null otherwise").short('i'),
                option(
                    "--timeout",
                    "DURATION",
                    "90s",
                    "end the command after this long; 0 means never",
                )
                .default("the sandbox's, else 30s"),
                option(
                    "--max-output",
                    "SIZE",
                    "64m",
                    "print no more output than this; with --detach: log no more",
                )
                .default("10m"),
                flag(
                    "--stream",
                    "no output limit and no default timeout; with --json one object a piece",
                ),
                flag(
                    "--detach",
                    "print an ID and return; 'logs' shows the output and the exit code",
                )
                .short('d'),
                ENV,
                ENV_FILE,
                WORKDIR,
                USER,
            ],
        },
        IMAGE,
        ONE_SHOT_IDENTITY,
        Group {
            title: "Limits (with --image or --profile)",
            options: LIMITS,
        },
        Group {
            title: "Files (with --image or --profile)",
            options: FILES,
        },
        Group {
            title: "Network (with --image or --profile)",
            options: NETWORK,
        },
        Group {
            title: "Security (with --image or --profile)",
            options: SECURITY,
        },
    ],
    operands: &[Operand::Container],
    tail: Tail::AfterOneUnless(&["--image", "--profile"]),
    examples: &[
        example("run box ls -la /", "a program and its arguments"),
        example("run box 'ps | wc -l'", "a line for the shell"),
        example(
            "run --profile minimal-python --lang python 'print(2**64)'",
            "code in a sandbox of its own",
        ),
        example("run box -i --lang python < script.py", "code from stdin"),
        example(
            "run box --timeout 0 --stream make test",
            "as long as it takes",
        ),
        example(
            "run -d box python3 -m http.server",
            "in the background; 'logs box' shows its output",
        ),
    ],
    failure_code: RUN_FAILED,
    run: exec::run,
};

const LOGS: Command = Command {
    name: "logs",
    section: Section::Code,
    summary: "show what commands have printed",
    forms: &[
        "CONTAINER [--follow] [--tail N] [--last N] [--type TYPE]",
        "[CONTAINER] --history [--last N] [--type TYPE]",
        "",
    ],
    about: &[
        "Prints the logs of a sandbox, oldest first, stdout to stdout and stderr to stderr, byte \
         for byte. Notes that stand in a log, such as how much of it was cut, go to stderr.",
        "With --history, or without CONTAINER, it prints a table: what was run, when, for how \
         long and with what exit code. Without CONTAINER that is everything in the project of \
         this directory, or outside any.",
        "Recorded is what runs in sandboxes that were made with 'create', and what runs in the \
         background anywhere. Logs outlive the sandbox of a one-shot 'run --detach'; 'shutdown' \
         removes those of the sandbox that it removes.",
    ],
    groups: &[Group {
        title: "Options",
        options: &[
            flag(
                "--follow",
                "go on until the commands end that are being recorded, or Ctrl-C",
            )
            .short('f'),
            option("--tail", "N", "20", "begin with the last N lines").default("all"),
            option(
                "--last",
                "N",
                "3",
                "the newest N logs, or lines of the table",
            )
            .default("10"),
            option(
                "--type",
                "TYPE",
                "detach",
                "only those of: run, session or detach",
            ),
            flag("--history", "the table, for CONTAINER alone if it is given"),
        ],
    }],
    operands: &[Operand::Container],
    tail: Tail::None,
    examples: &[
        example("logs box --follow", "watch what runs in the background"),
        example("logs box --last 1", "the output of the newest command"),
        example("logs --history --json", "everything, for a program"),
    ],
    failure_code: 1,
    run: logs::logs,
};

const LIST: Command = Command {
    name: "list",
    section: Section::Sandboxes,
    summary: "list the sandboxes",
    forms: &["[--project PROJECT] [--running]"],
    about: &[
        "Lists the sandboxes of the engine, those of every project. With --quiet only their names.",
    ],
    groups: &[Group {
        title: "Options",
        options: &[
            option(
                "--project",
                "PROJECT",
                ".",
                "only those of this project; '.' is that of this directory",
            ),
            flag("--running", "only those that run"),
        ],
    }],
    operands: &[],
    tail: Tail::None,
    examples: &[example("list --running", "what runs now")],
    failure_code: 1,
    run: look::list,
};

const INFO: Command = Command {
    name: "info",
    section: Section::Sandboxes,
    summary: "show a sandbox: state, use, limits, processes",
    forms: &["CONTAINER"],
    about: &[
        "Shows what the engine knows of a sandbox, running or not. The CPU figure is a sample of \
         what it uses now.",
    ],
    groups: &[],
    operands: &[Operand::Container],
    tail: Tail::None,
    examples: &[example("info box", "the sandbox 'box'")],
    failure_code: 1,
    run: look::info,
};

const STOP: Command = Command {
    name: "stop",
    section: Section::Sandboxes,
    summary: "stop sandboxes, keeping them",
    forms: &["CONTAINER...", "--all"],
    about: &["Stops sandboxes. Their files stay; 'resume' starts them again."],
    groups: &[Group {
        title: "Options",
        options: &[
            flag("--all", "every sandbox that runs"),
            option(
                "--project",
                "PROJECT",
                ".",
                "with --all: only those of this project",
            ),
        ],
    }],
    operands: &[Operand::Containers],
    tail: Tail::None,
    examples: &[
        example("stop box", "the sandbox 'box'"),
        example("stop --all", "everything that runs"),
    ],
    failure_code: 1,
    run: lifecycle::stop,
};

const RESUME: Command = Command {
    name: "resume",
    section: Section::Sandboxes,
    summary: "start stopped sandboxes, unpause paused ones",
    forms: &["CONTAINER..."],
    about: &[
        "Starts sandboxes that were stopped and unpauses those that were paused. One that runs is \
         left alone.",
    ],
    groups: &[],
    operands: &[Operand::Containers],
    tail: Tail::None,
    examples: &[example("resume box", "the sandbox 'box'")],
    failure_code: 1,
    run: lifecycle::resume,
};

const SHUTDOWN: Command = Command {
    name: "shutdown",
    section: Section::Sandboxes,
    summary: "stop sandboxes and remove them",
    forms: &["CONTAINER... [--yes] [--force]"],
    about: &[
        "Stops sandboxes and removes them with all their files and logs, whatever their state. \
         Asks first.",
    ],
    groups: &[Group {
        title: "Options",
        options: &[
            flag("--yes", "do not ask").short('y'),
            flag("--force", "kill what runs instead of asking it to end"),
        ],
    }],
    operands: &[Operand::Containers],
    tail: Tail::None,
    examples: &[example("shutdown box --yes", "the sandbox 'box'")],
    failure_code: 1,
    run: lifecycle::shutdown,
};

const PROFILES: Command = Command {
    name: "profiles",
    section: Section::Images,
    summary: "list the profiles: images that pocketdock can build",
    forms: &[""],
    about: &[
        "Lists the profiles, whether sandboxes made from them have a network, and whether their \
         images are built.",
    ],
    groups: &[],
    operands: &[],
    tail: Tail::None,
    examples: &[example("profiles", "all of them")],
    failure_code: 1,
    run: images::profiles,
};

const BUILD: Command = Command {
    name: "build",
    section: Section::Images,
    summary: "build the images of profiles",
    forms: &["[PROFILE...]", "--all"],
    about: &[
        "Builds the images of profiles and prints their names; the engine's output goes to \
         stderr. Without a name it builds minimal-python. This is the one command whose steps may \
         use the network.",
    ],
    groups: &[Group {
        title: "Options",
        options: &[
            flag("--all", "every profile"),
            option(
                "--build-arg",
                "KEY=VALUE",
                "BASE=debian:bookworm-slim",
                "set an ARG of the Dockerfile",
            )
            .repeats(),
            flag("--no-cache", "do every step again"),
            option(
                "--network",
                "MODE",
                "host",
                "the network of the build's steps",
            )
            .default("the engine's"),
        ],
    }],
    operands: &[Operand::Profiles],
    tail: Tail::None,
    examples: &[
        example("build", "the default image"),
        example(
            "build dev --build-arg BASE=debian:bookworm-slim",
            "from another base",
        ),
    ],
    failure_code: 1,
    run: images::build,
};

const PUSH: Command = Command {
    name: "push",
    section: Section::Files,
    summary: "copy files into a sandbox",
    forms: &["CONTAINER SRC DEST"],
    about: &[
        "Copies a file, a link or a directory into a sandbox, as 'cp -r' would: into DEST if that \
         is a directory, else to that name. A DEST that ends in '/' has to be a directory; an SRC \
         that ends in '/.' is what is in the directory. DEST is absolute.",
        "What is copied belongs to the sandbox's user and keeps its modes and times. With '-' for \
         SRC, a tar archive from stdin is unpacked in the directory DEST.",
    ],
    groups: &[],
    operands: &[Operand::Container, Operand::Path],
    tail: Tail::None,
    examples: &[
        example("push box ./src /home/sandbox/", "a directory, into another"),
        example(
            "push box data.csv /tmp/input.csv",
            "a file, under a new name",
        ),
        example("push box - /srv <site.tar", "what is in an archive"),
    ],
    failure_code: 1,
    run: files::push,
};

const PULL: Command = Command {
    name: "pull",
    section: Section::Files,
    summary: "copy files out of a sandbox",
    forms: &["CONTAINER SRC DEST"],
    about: &[
        "Copies a file, a link or a directory out of a sandbox, as 'cp -r' would: into DEST if \
         that is a directory, else to that name. A DEST that ends in '/' has to be a directory; an \
         SRC that ends in '/.' is what is in the directory. SRC is absolute.",
        "Nothing is written outside of DEST, whatever is in the sandbox. Devices, pipes and setuid \
         bits are left out, with a warning. With '-' for DEST, a tar archive goes to stdout.",
    ],
    groups: &[],
    operands: &[Operand::Container, Operand::Inside, Operand::Path],
    tail: Tail::None,
    examples: &[
        example(
            "pull box /home/sandbox/results .",
            "a directory, into this one",
        ),
        example(
            "pull box /etc/os-release release",
            "a file, under a new name",
        ),
        example("pull box /srv - | tar -t", "an archive of it"),
    ],
    failure_code: 1,
    run: files::pull,
};

const SNAPSHOT: Command = Command {
    name: "snapshot",
    section: Section::Images,
    summary: "make an image of a sandbox's files",
    forms: &["CONTAINER IMAGE"],
    about: &[
        "Makes an image of the files of a sandbox, running or not, and prints the image's ID. \
         IMAGE is a name such as tools:1 or localhost:5000/tools; an image that had it loses it.",
        "Mounted directories and those in memory are not part of it. 'pocketdock create --image \
         IMAGE' makes a sandbox of it, 'pocketdock export --image IMAGE' carries it elsewhere.",
    ],
    groups: &[],
    operands: &[Operand::Container, Operand::Image],
    tail: Tail::None,
    examples: &[
        example("snapshot web web:ready", "keep what was installed in it"),
        example(
            "create --image web:ready",
            "go on from there, as often as needed",
        ),
    ],
    failure_code: 1,
    run: transfer::snapshot,
};

const EXPORT: Command = Command {
    name: "export",
    section: Section::Images,
    summary: "write images to an archive, for a machine without a network",
    forms: &[
        "--all -o FILE",
        "--profile PROFILE... -o FILE",
        "--image IMAGE... -o FILE",
    ],
    about: &[
        "Writes images with all that they need into one archive, and a checksum into FILE.sha256 \
         for 'import' and 'sha256sum -c'. FILE is there when it is whole: until then the archive \
         has another name. Both Docker and Podman can import it.",
    ],
    groups: &[Group {
        title: "Options",
        options: &[
            flag("--all", "the image of every profile"),
            option(
                "--profile",
                "PROFILE",
                "minimal-python",
                "the image of this profile",
            )
            .repeats(),
            option("--image", "IMAGE", "web:ready", "this image").repeats(),
            option(
                "--output",
                "FILE",
                "images.tar.gz",
                "where to write; a name ending in .gz compresses, '-' is stdout",
            )
            .short('o'),
        ],
    }],
    operands: &[],
    tail: Tail::None,
    examples: &[
        example("export --all -o images.tar.gz", "all profiles in one file"),
        example(
            "export --image web:ready -o - | ssh host pocketdock import -",
            "straight to another machine",
        ),
    ],
    failure_code: 1,
    run: transfer::export,
};

const IMPORT: Command = Command {
    name: "import",
    section: Section::Images,
    summary: "load the images of an archive",
    forms: &["FILE"],
    about: &[
        "Loads the images of an archive, compressed with gzip or not, and prints their names. \
         '-' reads stdin. If there is a FILE.sha256, the archive is checked against it first, and \
         nothing is loaded if it is another.",
    ],
    groups: &[],
    operands: &[Operand::Path],
    tail: Tail::None,
    examples: &[
        example(
            "import images.tar.gz",
            "what 'pocketdock export' has written",
        ),
        example("import - <images.tar", "from stdin, without a checksum"),
    ],
    failure_code: 1,
    run: transfer::import,
};

const STATUS: Command = Command {
    name: "status",
    section: Section::Projects,
    summary: "show how the project stands",
    forms: &[""],
    about: &[
        "Shows the project of this directory: its instances on this host, its sandboxes on the \
         engine, and what the instances take on the disk.",
    ],
    groups: &[],
    operands: &[],
    tail: Tail::None,
    examples: &[example("status --json", "for a program")],
    failure_code: 1,
    run: care::status,
};

const DOCTOR: Command = Command {
    name: "doctor",
    section: Section::Projects,
    summary: "find out what is wrong, and put it right",
    forms: &["[--fix]"],
    about: &[
        "Looks at the engine, the settings, the sandboxes and their instances: those of the \
         project of this directory, or those outside any. The exit code is 1 if something is \
         wrong. It works without an engine and with settings that can not be read, too.",
        "With --fix it removes sandboxes whose owner was killed and what was never finished or \
         whose sandbox is gone, and writes anew what a kept sandbox has lost on this host. It \
         touches nothing whose owner may live.",
    ],
    groups: &[Group {
        title: "Options",
        options: &[flag("--fix", "put right what can be")],
    }],
    operands: &[],
    tail: Tail::None,
    examples: &[
        example("doctor", "is everything well?"),
        example("doctor --fix", "and if not, see to it"),
    ],
    failure_code: 1,
    run: care::doctor,
};

const REBOOT: Command = Command {
    name: "reboot",
    section: Section::Sandboxes,
    summary: "start a sandbox again, as it is or afresh",
    forms: &["CONTAINER [--fresh]"],
    about: &[
        "Ends everything that runs in a sandbox and starts it again. Its files stay.",
        "With --fresh they begin anew, too: a new container of the same image takes its place, \
         with the same name, volumes, ports, limits, labels and environment. The old one is \
         removed once the new one runs; if that fails, it is as it was.",
    ],
    groups: &[Group {
        title: "Options",
        options: &[flag("--fresh", "with the files of its image")],
    }],
    operands: &[Operand::Container],
    tail: Tail::None,
    examples: &[
        example("reboot box", "end everything in the sandbox 'box'"),
        example("reboot box --fresh", "and forget what it has changed"),
    ],
    failure_code: 1,
    run: lifecycle::reboot,
};

const PRUNE: Command = Command {
    name: "prune",
    section: Section::Sandboxes,
    summary: "remove sandboxes that are not needed any more",
    forms: &["[--project PROJECT] [--persistent] [--orphans] [--dry-run] [--yes]"],
    about: &[
        "Removes stopped sandboxes with their instances, but for persistent ones and those whose \
         owner lives. Paused ones, those that were never started and those of others stay in any \
         case. Asks first.",
    ],
    groups: &[Group {
        title: "Options",
        options: &[
            option(
                "--project",
                "PROJECT",
                ".",
                "only those of this project; '.' is that of this directory",
            ),
            flag("--persistent", "persistent ones that are stopped, too"),
            flag("--orphans", "running ones whose owner was killed, too"),
            flag("--dry-run", "remove nothing and show what would be"),
            flag("--yes", "do not ask").short('y'),
        ],
    }],
    operands: &[],
    tail: Tail::None,
    examples: &[
        example("prune --dry-run", "what is there to remove?"),
        example(
            "prune --project . --orphans --yes",
            "clean up after a crash",
        ),
    ],
    failure_code: 1,
    run: care::prune,
};

/// Every command there is.
pub(crate) const COMMANDS: &[Command] = &[
    CREATE, RUN, SHELL, LOGS, LIST, INFO, STOP, RESUME, REBOOT, SHUTDOWN, PRUNE, PUSH, PULL,
    PROFILES, BUILD, SNAPSHOT, EXPORT, IMPORT, INIT, STATUS, DOCTOR,
];

/// What somebody types who has never used it: an image, a sandbox, a command in it.
pub(crate) const FIRST_STEPS: &[Example] = &[
    example("build", "make an image with Python, once"),
    example("create --name box", "make a sandbox from it"),
    example("run box 'echo hello'", "run something in it"),
];

/// What docker and podman call it, and what it is called here.
pub(crate) const NAMES_ELSEWHERE: &[(&str, &str)] = &[
    ("commit", "snapshot"),
    ("cp", "push"),
    ("delete", "shutdown"),
    ("exec", "run"),
    ("images", "profiles"),
    ("inspect", "info"),
    ("kill", "stop"),
    ("load", "import"),
    ("ls", "list"),
    ("ps", "list"),
    ("restart", "reboot"),
    ("rm", "shutdown"),
    ("save", "export"),
    ("start", "resume"),
    ("stats", "info"),
    ("top", "info"),
    ("unpause", "resume"),
];

/// What to say of an option that the command at hand does not have: of which commands it is one.
pub(crate) fn elsewhere(long: &str) -> Option<String> {
    let mut commands = String::new();
    for command in COMMANDS {
        let mut groups = command.groups.iter();
        if groups.any(|group| group.options.iter().any(|opt| opt.long == long)) {
            let lead = if commands.is_empty() { "" } else { ", " };
            commands = format!("{commands}{lead}'{}'", command.name);
        }
    }
    match commands.is_empty() {
        true => None,
        false => Some(format!("'{long}' is an option of {commands}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_elsewhere_lead_to_commands_and_are_none() {
        for (elsewhere, here) in NAMES_ELSEWHERE {
            assert!(Command::find(elsewhere).is_none(), "{elsewhere}");
            assert!(Command::find(here).is_some(), "{here}");
        }
    }
}
