//! `create`, `stop`, `resume`, `shutdown`: the life of a sandbox.

use pocketdock_core::container::plan::checked_reference;
use pocketdock_core::wire::value::Value;
use pocketdock_core::{Container, Engine, Error};

use crate::args::Args;
use crate::failure::{Failure, Outcome, error_value, hint_for, usage};
use crate::interrupt::Interrupts;
use crate::output::Console;
use crate::values;

use super::{connect, list_filter, sandbox};

/// `pocketdock create [OPTIONS]`
pub(crate) fn create(mut args: Args, console: &mut Console<'_>) -> Outcome {
    let mut options = sandbox::create_options(&mut args, &console.config)?.keep();
    for (key, value) in sandbox::environment(&mut args)? {
        options = options.env(&key, &value);
    }
    if let Some(timeout) = args.parsed("--timeout", values::duration)? {
        options = options.timeout(timeout);
    }
    if let Some(dir) = args.parsed("--workdir", values::directory)? {
        options = options.workdir(&dir);
    }
    if let Some(user) = args.parsed("--user", values::user)? {
        options = options.user(&user);
    }
    if args.flag("--persist") || console.config.default_persist() {
        options = options.persist();
    }
    args.finish()?;
    options.check()?;

    let interrupts = Interrupts::watch()?;
    let container = connect(console)?.create(&options)?;
    if let Err(interrupted) = interrupts.check() {
        container.shutdown(true)?;
        return Err(interrupted);
    }
    print_created(&container, console)
}

fn print_created(container: &Container, console: &mut Console<'_>) -> Outcome {
    for warning in container.warnings() {
        console.warn(warning);
    }
    let name = container.name();
    if console.globals.json {
        console.print_json(&created_value(container))?;
        return Ok(0);
    }
    console.print(&format!("{name}\n"))?;
    console.note(&format!(
        "sandbox '{name}' is running; 'pocketdock run {name} COMMAND' uses it"
    ));
    Ok(0)
}

fn created_value(container: &Container) -> Value {
    Value::object([
        ("id", container.container_id().into()),
        ("name", container.name().into()),
        ("image", container.image().into()),
        ("persist", container.persist().into()),
        ("project", container.project().into()),
        ("profile", container.profile().into()),
        ("warnings", container.warnings().to_vec().into()),
    ])
}

/// `pocketdock stop CONTAINER...` or `pocketdock stop --all`
pub(crate) fn stop(mut args: Args, console: &mut Console<'_>) -> Outcome {
    let all = args.flag("--all");
    let project = args.parsed("--project", values::project)?;
    let names = checked(args.positionals("CONTAINER")?)?;
    args.finish()?;
    match (all, names.is_empty()) {
        (true, false) => return Err(usage("'--all' leaves no CONTAINER to name")),
        (false, true) => return Err(usage("missing CONTAINER")),
        (false, false) if project.is_some() => {
            return Err(usage("'--project' narrows '--all' only"));
        }
        _ => {}
    }

    let engine = connect(console)?;
    let names = if all {
        running(&engine, project.as_deref())?
    } else {
        names
    };
    for_each(&names, "stopped", console, |name| engine.stop(name))
}

/// `pocketdock reboot CONTAINER [--fresh]`
pub(crate) fn reboot(mut args: Args, console: &mut Console<'_>) -> Outcome {
    let fresh = args.flag("--fresh");
    let name = args.positional("CONTAINER")?;
    args.finish()?;
    checked_reference(&name)?;

    // Half a reboot is worse than one that comes to its end.
    let interrupts = Interrupts::watch()?;
    let container = connect(console)?.open(&name)?;
    container.reboot(fresh)?;
    for warning in container.warnings() {
        console.warn(warning);
    }
    warn_of_record(&container, console);
    if console.globals.json {
        console.print_json(&created_value(&container))?;
    } else {
        console.print(&format!("{}\n", container.name()))?;
    }
    interrupts.check()?;
    Ok(0)
}

/// Says that a command was not recorded as it should be; it does not fail for that.
pub(super) fn warn_of_record(container: &Container, console: &mut Console<'_>) {
    if let Some(error) = container.take_record_failure() {
        console.warn(&format!("not everything was recorded: {error}"));
    }
}

/// `pocketdock resume CONTAINER...`
pub(crate) fn resume(mut args: Args, console: &mut Console<'_>) -> Outcome {
    let names = some_containers(&mut args)?;
    args.finish()?;

    let engine = connect(console)?;
    for_each(&names, "resumed", console, |name| {
        engine.resume(name).map(drop)
    })
}

/// `pocketdock shutdown CONTAINER... [--yes] [--force]`
pub(crate) fn shutdown(mut args: Args, console: &mut Console<'_>) -> Outcome {
    let (yes, force) = (args.flag("--yes"), args.flag("--force"));
    let names = some_containers(&mut args)?;
    args.finish()?;

    let question = format!("remove '{}' with all files", names.join("', '"));
    if !yes && !console.confirm(&question)? {
        if console.globals.json {
            console.print_json(&summary("removed", Vec::new(), &[]))?;
        }
        console.note("nothing was removed");
        return Ok(1);
    }
    let engine = connect(console)?;
    for_each(&names, "removed", console, |name| {
        engine.open(name)?.shutdown(force)
    })
}

fn some_containers(args: &mut Args) -> Result<Vec<String>, Failure> {
    let first = args.positional("CONTAINER")?;
    let mut names = vec![first];
    names.extend(args.positionals("CONTAINER")?);
    checked(names)
}

/// Refuses what can be no name before any of the others is acted on.
fn checked(names: Vec<String>) -> Result<Vec<String>, Failure> {
    for name in &names {
        checked_reference(name)?;
    }
    Ok(names)
}

fn running(engine: &Engine, project: Option<&str>) -> Result<Vec<String>, Failure> {
    let filter = list_filter(project).running();
    Ok(engine
        .list(&filter)?
        .into_iter()
        .map(|item| item.name)
        .collect())
}

/// Does the same to each name: the good ones are done, the bad ones reported.
fn for_each(
    names: &[String],
    done_word: &str,
    console: &mut Console<'_>,
    act: impl Fn(&str) -> Result<(), Error>,
) -> Outcome {
    let (mut done, mut failed) = (Vec::new(), Vec::new());
    // A reader that goes away does not keep the rest from being done.
    let mut printed = Ok(());
    for name in names {
        match act(name) {
            Ok(()) => {
                if !console.globals.json {
                    printed = printed.and_then(|()| console.print(&format!("{name}\n")));
                }
                done.push(Value::from(name.as_str()));
            }
            Err(error) => {
                if !console.globals.json {
                    console.complain(&error.to_string(), hint_for(&error).as_deref());
                }
                failed.push((name, error));
            }
        }
    }
    if console.globals.json {
        console.print_json(&summary(done_word, done, &failed))?;
    } else if failed.is_empty() {
        printed?;
    }
    Ok(u8::from(!failed.is_empty()))
}

/// `{"stopped":[…]}`, and on failure `failed` with every error and `error` with
/// the first one, where a program looks for it after any command.
fn summary(done_word: &str, done: Vec<Value>, failed: &[(&String, Error)]) -> Value {
    let mut fields = vec![(done_word, Value::from(done))];
    let errors = failed.iter().map(|(name, error)| {
        Value::object([
            ("name", name.as_str().into()),
            ("error", error_value(error)),
        ])
    });
    if let Some((_, first)) = failed.first() {
        fields.push(("failed", errors.collect::<Vec<_>>().into()));
        fields.push(("error", error_value(first)));
    }
    Value::object(fields)
}
