//! The options that say what a sandbox should be, shared by `create` and a
//! one-shot `run`.

use std::env;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;

use pocketdock_core::wire::size::format_size;
use pocketdock_core::{Config, CreateOptions, Device, Port, Tmpfs, Volume};

use crate::args::{Args, malformed};
use crate::failure::{Failure, usage};
use crate::output::visible;
use crate::values;

/// The longest `--env-file`: a kernel takes no larger environment than a few of it.
const ENV_FILE_LEN_MAX: u64 = 1024 * 1024;

/// Options that describe a sandbox and not the commands in it: those that make
/// no sense for a sandbox that is there already.
pub(super) const OPTIONS: &[&str] = &[
    "--image",
    "--profile",
    "--name",
    "--label",
    "--project",
    "--ttl",
    "--no-init",
    "--mem-limit",
    "--cpu-percent",
    "--pids-limit",
    "--volume",
    "--device",
    "--tmpfs",
    "--read-only",
    "--network",
    "--no-network",
    "--port",
    "--hardened",
    "--cap-drop",
    "--cap-add",
];

/// Takes everything in [`OPTIONS`].
///
/// What is not given is as `config` says: the profile, the project.
pub(super) fn create_options(args: &mut Args, config: &Config) -> Result<CreateOptions, Failure> {
    let options = identity(args, config)?;
    let options = limits(args, options)?;
    let options = files(args, options)?;
    let options = network(args, options)?;
    security(args, options)
}

/// The environment of `--env-file` and `--env`, later ones winning.
pub(super) fn environment(args: &mut Args) -> Result<Vec<(String, String)>, Failure> {
    let mut given = Vec::new();
    for file in args.values("--env-file") {
        let shown = visible(&file.to_string_lossy());
        let text = env_file(&file, &shown)?;
        let variables = values::variables(&text).map_err(|line| {
            usage(format!(
                "malformed line {line} in the --env-file '{shown}': expected KEY=VALUE"
            ))
        })?;
        given.extend(variables);
    }
    given.extend(args.all_parsed("--env", values::variable)?);
    given
        .into_iter()
        .filter_map(|(key, value)| with_value(key, value).transpose())
        .collect()
}

/// The text of an `--env-file`, which may be a pipe and has to end.
fn env_file(file: &OsStr, shown: &str) -> Result<String, Failure> {
    let unreadable = |error| usage(format!("cannot read the --env-file '{shown}': {error}"));
    let mut text = String::new();
    let mut source = File::open(file)
        .map_err(unreadable)?
        .take(ENV_FILE_LEN_MAX + 1);
    source.read_to_string(&mut text).map_err(unreadable)?;
    match source.limit() {
        0 => Err(usage(format!(
            "the --env-file '{shown}' is longer than {}",
            format_size(ENV_FILE_LEN_MAX)
        ))),
        _ => Ok(text),
    }
}

/// A variable without a value takes ours, and is left out if we have none.
fn with_value(key: String, value: Option<String>) -> Result<Option<(String, String)>, Failure> {
    if let Some(value) = value {
        return Ok(Some((key, value)));
    }
    match env::var_os(&key).map(|value| value.into_string()) {
        None => Ok(None),
        Some(Ok(value)) => Ok(Some((key, value))),
        Some(Err(_)) => Err(usage(format!("the value of '{key}' is not valid UTF-8"))),
    }
}

fn identity(args: &mut Args, config: &Config) -> Result<CreateOptions, Failure> {
    let mut options = CreateOptions::new().profile(config.default_profile().name);
    if args.has("--image") && args.has("--profile") {
        return Err(usage("'--image' and '--profile' can not be used together"));
    }
    if let Some(image) = args.text("--image")? {
        options = CreateOptions::new().image(&image);
    }
    if let Some(profile) = args.text("--profile")? {
        options = options.profile(&profile);
    }
    if let Some(name) = args.text("--name")? {
        options = options.name(&name);
    }
    for (key, value) in args.all_parsed("--label", values::pair)? {
        options = options.label(&key, &value);
    }
    let own = || config.project().map(|project| project.name.clone());
    if let Some(project) = args.parsed("--project", values::project)?.or_else(own) {
        options = options.project(&project);
    }
    if let Some(ttl) = args.parsed("--ttl", values::ttl)? {
        options = options.ttl(ttl);
    }
    Ok(if args.flag("--no-init") {
        options.no_init()
    } else {
        options
    })
}

fn limits(args: &mut Args, mut options: CreateOptions) -> Result<CreateOptions, Failure> {
    if let Some(size) = args.text("--mem-limit")? {
        values::size(&size).map_err(|form| malformed(&size, "--mem-limit", form.into()))?;
        options = options.mem_limit(&size);
    }
    if let Some(percent) = args.parsed("--cpu-percent", values::percent)? {
        options = options.cpu_percent(percent);
    }
    if let Some(count) = args.parsed("--pids-limit", values::count)? {
        options = options.pids_limit(count);
    }
    Ok(options)
}

fn files(args: &mut Args, mut options: CreateOptions) -> Result<CreateOptions, Failure> {
    for volume in args.all_parsed("--volume", str::parse::<Volume>)? {
        options = options.volume(volume);
    }
    for device in args.all_parsed("--device", str::parse::<Device>)? {
        options = options.device(device);
    }
    for tmpfs in args.all_parsed("--tmpfs", str::parse::<Tmpfs>)? {
        options = options.tmpfs(tmpfs);
    }
    Ok(if args.flag("--read-only") {
        options.read_only()
    } else {
        options
    })
}

fn network(args: &mut Args, mut options: CreateOptions) -> Result<CreateOptions, Failure> {
    for port in args.all_parsed("--port", str::parse::<Port>)? {
        options = options.port(port);
    }
    match (args.flag("--network"), args.flag("--no-network")) {
        (true, true) => Err(usage(
            "'--network' and '--no-network' can not be used together",
        )),
        (true, false) => Ok(options.network()),
        (false, true) => Ok(options.no_network()),
        (false, false) => Ok(options),
    }
}

fn security(args: &mut Args, mut options: CreateOptions) -> Result<CreateOptions, Failure> {
    for capability in args.all_parsed("--cap-drop", values::capability)? {
        options = options.cap_drop(&capability);
    }
    for capability in args.all_parsed("--cap-add", values::capability)? {
        options = options.cap_add(&capability);
    }
    Ok(if args.flag("--hardened") {
        options.hardened()
    } else {
        options
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Command;

    #[test]
    fn run_has_every_option_of_a_sandbox_and_create_has_no_other() {
        let run = Command::find("run").unwrap();
        let create = Command::find("create").unwrap();
        for long in OPTIONS {
            assert!(run.options().any(|opt| opt.long == *long), "{long}");
            assert!(create.options().any(|opt| opt.long == *long), "{long}");
        }
        let ours = [
            "--persist",
            "--timeout",
            "--env",
            "--env-file",
            "--workdir",
            "--user",
        ];
        for opt in create.options() {
            assert!(
                OPTIONS.contains(&opt.long) || ours.contains(&opt.long),
                "{}",
                opt.long
            );
        }
    }
}
