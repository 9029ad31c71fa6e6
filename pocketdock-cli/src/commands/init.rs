//! `init`: makes a directory a project.

use std::path::Path;

use pocketdock_core::init_project;
use pocketdock_core::wire::value::Value;

use crate::args::Args;
use crate::failure::{Outcome, usage};
use crate::output::{Console, visible};

/// `pocketdock init [PATH] [--name NAME] [--profile PROFILE]`
pub(crate) fn init(mut args: Args, console: &mut Console<'_>) -> Outcome {
    let name = args.text("--name")?;
    let profile = args.text("--profile")?;
    let mut paths = args.words().into_iter();
    let path = paths.next().unwrap_or_else(|| ".".into());
    if let Some(more) = paths.next() {
        let more = visible(&more.to_string_lossy());
        return Err(usage(format!(
            "one PATH is enough, and '{more}' is another"
        )));
    }
    args.finish()?;

    let path = Path::new(&path);
    let report = init_project(path, name.as_deref(), profile.as_deref())?;
    let (root, file) = (
        report.root.to_string_lossy(),
        report.config_file.to_string_lossy(),
    );
    if console.globals.json {
        console.print_json(&Value::object([
            ("root", root.as_ref().into()),
            ("config_file", file.as_ref().into()),
            ("created", report.created.into()),
        ]))?;
        return Ok(0);
    }
    console.print(&format!("{}\n", visible(&root)))?;
    let file = visible(&file);
    console.note(&match report.created {
        true => format!("this is a project now; its settings are in '{file}'"),
        false => format!("this is a project already, nothing was changed; edit '{file}'"),
    });
    Ok(0)
}
