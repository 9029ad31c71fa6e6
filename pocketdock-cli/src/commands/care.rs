//! `status`, `doctor`, `prune`: how things stand, what is wrong with them, what is not needed.

use std::path::Path;

use pocketdock_core::project::doctor::examine;
use pocketdock_core::wire::size::format_size;
use pocketdock_core::wire::value::Value;
use pocketdock_core::{
    Config, DoctorReport, EngineReport, Error, PruneOptions, PruneReport, Pruned, find_project_root,
};

use crate::args::Args;
use crate::failure::{Failure, Outcome, error_value, hint_for};
use crate::output::{Console, visible};
use crate::paint::Paint;
use crate::table::Table;
use crate::values;

use super::connect;

/// `pocketdock status`
pub(crate) fn status(args: Args, console: &mut Console<'_>) -> Outcome {
    args.finish()?;
    let Some(project) = console.config.project().cloned() else {
        let from = std::env::current_dir()?;
        return Err(Error::ProjectNotInitialized { from }.into());
    };
    let status = connect(console)?.status(&project)?;
    let root = project.root.to_string_lossy().into_owned();
    if console.globals.json {
        console.print_json(&Value::object([
            ("project", project.name.into()),
            ("root", root.into()),
            ("instances", count(status.instances)),
            ("containers", count(status.containers)),
            ("running", count(status.running)),
            ("stopped", count(status.stopped)),
            ("disk_bytes", status.disk_bytes.into()),
        ]))?;
        return Ok(0);
    }
    let (running, stopped) = (status.running, status.stopped);
    let containers = format!(
        "{} ({running} running, {stopped} stopped)",
        status.containers
    );
    let text = facts(
        &[
            ("project", &project.name),
            ("root", &root),
            ("instances", &status.instances.to_string()),
            ("containers", &containers),
            ("disk", &format_size(status.disk_bytes)),
        ],
        console.out_paint,
    );
    console.print(&text)?;
    Ok(0)
}

fn count(count: usize) -> Value {
    u64::try_from(count).unwrap_or(u64::MAX).into()
}

/// One fact a line.
fn facts(facts: &[(&str, &str)], paint: Paint) -> String {
    let line = |(label, fact): &(&str, &str)| {
        let space = " ".repeat(12_usize.saturating_sub(label.len()));
        format!("{}{space}{}\n", paint.bold(label), visible(fact))
    };
    facts.iter().map(line).collect()
}

/// `pocketdock doctor [--fix]`
pub(crate) fn doctor(mut args: Args, console: &mut Console<'_>) -> Outcome {
    let fix = args.flag("--fix");
    args.finish()?;
    // The settings may be what is wrong.
    let root = match Config::read() {
        Ok(config) => config.project().map(|project| project.root.clone()),
        Err(_) => find_project_root(Path::new(".")).ok(),
    };
    let report = match connect(console) {
        Ok(engine) => examine(Ok(&engine), root.as_deref(), fix),
        Err(Failure::Core(error)) => examine(Err(&error), root.as_deref(), fix),
        Err(other) => return Err(other),
    };
    if console.globals.json {
        console.print_json(&report_value(&report))?;
    } else {
        let text = describe(&report, root.as_deref(), console.out_paint);
        console.print(&text)?;
    }
    Ok(u8::from(!report.healthy()))
}

fn report_value(report: &DoctorReport) -> Value {
    let problems = report.problems.iter().map(|problem| {
        Value::object([
            ("code", problem.code.into()),
            ("message", problem.message.as_str().into()),
            ("hint", problem.hint.clone().into()),
            ("fixed", problem.fixed.into()),
        ])
    });
    let dirs = report.stale_instance_dirs.iter();
    let dirs = dirs.map(|dir| path_text(dir));
    Value::object([
        (
            "engine",
            report.engine.as_ref().map_or(Value::Null, engine_value),
        ),
        ("healthy", report.healthy().into()),
        (
            "orphaned_containers",
            report.orphaned_containers.clone().into(),
        ),
        ("stale_instance_dirs", dirs.collect::<Vec<_>>().into()),
        ("mismatches", report.mismatches.clone().into()),
        ("problems", problems.collect::<Vec<_>>().into()),
        ("notes", report.notes.clone().into()),
    ])
}

fn path_text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn engine_value(engine: &EngineReport) -> Value {
    Value::object([
        ("kind", engine.kind.to_string().into()),
        ("version", engine.version.as_str().into()),
        ("api_version", api_version(engine).into()),
        ("socket", path_text(&engine.socket).into()),
        ("rootless", engine.rootless.into()),
    ])
}

fn api_version(engine: &EngineReport) -> String {
    let (major, minor) = engine.api_version;
    format!("{major}.{minor}")
}

fn describe(report: &DoctorReport, root: Option<&Path>, paint: Paint) -> String {
    let mut lines = Vec::new();
    if let Some(engine) = &report.engine {
        let rights = match engine.rootless {
            Some(true) => ", rootless",
            Some(false) => ", as root",
            None => "",
        };
        // Its version is empty if it does not say.
        let name = format!("{} {}", engine.kind, engine.version);
        let (name, api) = (name.trim_end(), api_version(engine));
        lines.push(("engine", format!("{name}, API {api}{rights}")));
        lines.push(("socket", path_text(&engine.socket)));
    }
    let project = root.map_or("none here".to_owned(), |root| {
        root.to_string_lossy().into_owned()
    });
    lines.push(("project", project));
    let lines: Vec<_> = lines
        .iter()
        .map(|(label, fact)| (*label, fact.as_str()))
        .collect();
    let mut text = facts(&lines, paint);
    for problem in &report.problems {
        let label = match problem.fixed {
            true => paint.wrap(Paint::GREEN, "fixed"),
            false => paint.wrap(Paint::RED, "problem"),
        };
        text.push_str(&format!("{label}: {}\n", visible(&problem.message)));
        if let Some(hint) = &problem.hint {
            text.push_str(&format!("  {}: {}\n", paint.bold("hint"), visible(hint)));
        }
    }
    for note in &report.notes {
        text.push_str(&format!(
            "{}: {}\n",
            paint.wrap(Paint::DIM, "note"),
            visible(note)
        ));
    }
    if report.healthy() {
        text.push_str(&format!("{}\n", paint.wrap(Paint::GREEN, "healthy")));
    }
    text
}

/// `pocketdock prune [--project PROJECT] [--persistent] [--orphans] [--dry-run] [--yes]`
pub(crate) fn prune(mut args: Args, console: &mut Console<'_>) -> Outcome {
    let mut options = PruneOptions::new();
    if let Some(project) = args.parsed("--project", values::project)? {
        options = options.project(&project);
    }
    if args.flag("--persistent") {
        options = options.persistent();
    }
    if args.flag("--orphans") {
        options = options.orphans();
    }
    let (yes, dry_run) = (args.flag("--yes"), args.flag("--dry-run"));
    args.finish()?;

    let asks = !yes && !dry_run;
    if asks && !console.interactive {
        console.confirm("remove what is not needed")?; // Which is refused.
    }
    let engine = connect(console)?;
    if asks {
        let found = engine.prune(&options.clone().dry_run())?;
        let names: Vec<_> = found.removed.iter().map(|it| it.name.as_str()).collect();
        let question = format!("remove '{}' with all files", names.join("', '"));
        if !names.is_empty() && !console.confirm(&question)? {
            if console.globals.json {
                console.print_json(&pruned_value(&PruneReport::default(), false))?;
            }
            console.note("nothing was removed");
            return Ok(1);
        }
    }
    if dry_run {
        options = options.dry_run();
    }
    print_pruned(&engine.prune(&options)?, dry_run, console)
}

fn print_pruned(report: &PruneReport, dry_run: bool, console: &mut Console<'_>) -> Outcome {
    if console.globals.json {
        console.print_json(&pruned_value(report, dry_run))?;
        return Ok(u8::from(!report.failed.is_empty()));
    }
    if console.globals.quiet {
        let names = report
            .removed
            .iter()
            .map(|it| format!("{}\n", visible(&it.name)));
        let names: String = names.collect();
        console.print(&names)?;
    } else if !report.removed.is_empty() {
        let heading = if dry_run {
            "WOULD BE REMOVED"
        } else {
            "REMOVED"
        };
        let mut table = Table::new(&[heading, "PROJECT", "BECAUSE"]);
        for it in &report.removed {
            let project = it.project.as_deref().unwrap_or_default();
            table.row(&[&it.name, project, it.reason.as_str()]);
        }
        let text = table.render(console.out_paint, console.columns);
        console.print(&text)?;
    } else if report.failed.is_empty() {
        console.note("there is nothing to remove");
    }
    for (name, error) in &report.failed {
        console.complain(&format!("'{name}': {error}"), hint_for(error).as_deref());
    }
    Ok(u8::from(!report.failed.is_empty()))
}

fn pruned_value(report: &PruneReport, dry_run: bool) -> Value {
    let removed = report.removed.iter().map(one_pruned);
    let failed = report.failed.iter().map(|(name, error)| {
        Value::object([
            ("name", name.as_str().into()),
            ("error", error_value(error)),
        ])
    });
    let mut fields = vec![
        ("removed", Value::from(removed.collect::<Vec<_>>())),
        ("dry_run", dry_run.into()),
    ];
    if let Some((_, first)) = report.failed.first() {
        fields.push(("failed", failed.collect::<Vec<_>>().into()));
        fields.push(("error", error_value(first)));
    }
    Value::object(fields)
}

fn one_pruned(it: &Pruned) -> Value {
    Value::object([
        ("name", it.name.as_str().into()),
        ("id", it.id.as_str().into()),
        ("project", it.project.clone().into()),
        ("reason", it.reason.as_str().into()),
    ])
}
