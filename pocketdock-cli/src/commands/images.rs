//! `profiles` and `build`: the images that sandboxes are made from.

use pocketdock_core::wire::size::format_size;
use pocketdock_core::wire::value::Value;
use pocketdock_core::{
    BuildOptions, Engine, Error, LogLevel, ProfileInfo, list_profiles, resolve_profile,
};

use crate::args::Args;
use crate::failure::{Failure, Outcome, usage};
use crate::output::{Console, visible_lines};
use crate::paint::Paint;
use crate::table::Table;
use crate::values;

use super::connect;

/// The profile to build when none is named: the one that `create` uses.
const DEFAULT_PROFILE: &str = "minimal-python";

/// `pocketdock profiles`
///
/// The profiles are known without an engine, so none that answers is no failure
/// here: only what is built is unknown then.
pub(crate) fn profiles(args: Args, console: &mut Console<'_>) -> Outcome {
    args.finish()?;
    let mut rows = Vec::new();
    if console.globals.quiet && !console.globals.json {
        let names = list_profiles()
            .iter()
            .map(|profile| format!("{}\n", profile.name));
        console.print(&names.collect::<String>())?;
        return Ok(0);
    }
    let engine = match connect(console) {
        Ok(engine) => Some(engine),
        Err(Failure::Core(error @ Error::NoEngine { .. })) => {
            console.warn(&format!("what is built is unknown: {error}"));
            None
        }
        Err(other) => return Err(other),
    };
    for profile in list_profiles() {
        let built = match &engine {
            Some(engine) => Some(engine.image_exists(profile.image_tag)?),
            None => None,
        };
        rows.push((profile, built));
    }
    if console.globals.json {
        let items: Vec<Value> = rows
            .iter()
            .map(|(profile, built)| to_value(profile, *built))
            .collect();
        console.print_json(&items.into())?;
    } else {
        let text = table(&rows).render(console.out_paint, console.columns);
        console.print(&text)?;
    }
    Ok(0)
}

fn to_value(profile: &ProfileInfo, built: Option<bool>) -> Value {
    Value::object([
        ("name", profile.name.into()),
        ("image_tag", profile.image_tag.into()),
        ("network_default", profile.network_default.into()),
        ("description", profile.description.into()),
        ("size_estimate", profile.size_estimate.into()),
        ("built", built.into()),
    ])
}

fn table(rows: &[(&ProfileInfo, Option<bool>)]) -> Table {
    let mut table = Table::new(&["NAME", "BUILT", "NETWORK", "SIZE", "DESCRIPTION"]);
    for (profile, built) in rows {
        let built = match built {
            Some(true) => "yes",
            Some(false) => "no",
            None => "?",
        };
        let network = if profile.network_default { "on" } else { "off" };
        let size = format_size(profile.size_estimate);
        let fields = [profile.name, built, network, &size, profile.description];
        table.colored_row(&fields, |heading, text| match (heading, text) {
            ("BUILT", "yes") => Paint::GREEN,
            ("BUILT", _) => Paint::DIM,
            _ => Paint::PLAIN,
        });
    }
    table
}

/// `pocketdock build [PROFILE...]` or `pocketdock build --all`
pub(crate) fn build(mut args: Args, console: &mut Console<'_>) -> Outcome {
    let profiles = wanted_profiles(&mut args)?;
    let mut options = BuildOptions::new();
    for (key, value) in args.all_parsed("--build-arg", values::pair)? {
        options = options.build_arg(&key, &value);
    }
    if let Some(mode) = args.text("--network")? {
        options = options.network(&mode);
    }
    if args.flag("--no-cache") {
        options = options.no_cache();
    }
    args.finish()?;

    let engine = connect(console)?;
    let mut built = Vec::new();
    for profile in profiles {
        let id = build_one(&engine, profile, &options, console)?;
        if !console.globals.json {
            console.print(&format!("{}\n", profile.image_tag))?;
        }
        built.push(Value::object([
            ("name", profile.name.into()),
            ("image_tag", profile.image_tag.into()),
            ("id", id.into()),
        ]));
    }
    if console.globals.json {
        console.print_json(&built.into())?;
    }
    Ok(0)
}

fn wanted_profiles(args: &mut Args) -> Result<Vec<&'static ProfileInfo>, Failure> {
    let all = args.flag("--all");
    let names = args.positionals("PROFILE")?;
    match (all, names.is_empty()) {
        (true, false) => Err(usage("'--all' leaves no PROFILE to name")),
        (true, true) => Ok(list_profiles().iter().collect()),
        (false, true) => Ok(vec![resolve_profile(DEFAULT_PROFILE)?]),
        (false, false) => {
            let found = names.iter().map(|name| resolve_profile(name));
            Ok(found.collect::<Result<_, _>>()?)
        }
    }
}

/// Builds with the engine's output on stderr as it comes, or, where that is not
/// wanted, with its end if the build fails.
fn build_one(
    engine: &Engine,
    profile: &ProfileInfo,
    options: &BuildOptions,
    console: &mut Console<'_>,
) -> Result<String, Failure> {
    let live = LogLevel::Info <= console.level && !console.globals.json;
    let result = engine.build(profile, options, &mut |text| {
        if live {
            // A stderr that is closed is no reason to stop a build.
            let _ = console.err.write_all(visible_lines(text).as_bytes());
        }
    });
    result.map_err(|error| {
        if let (Error::BuildFailed { log_tail, .. }, false) = (&error, live) {
            let _ = writeln!(console.err, "{}", visible_lines(log_tail).trim_end());
        }
        error.into()
    })
}
