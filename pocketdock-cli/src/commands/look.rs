//! `list` and `info`: what there is and how it is.

use std::time::{Duration, SystemTime};

use pocketdock_core::container::plan::checked_reference;
use pocketdock_core::wire::size::format_size;
use pocketdock_core::wire::time::Timestamp;
use pocketdock_core::wire::value::Value;
use pocketdock_core::{ContainerInfo, ContainerListItem};

use crate::args::Args;
use crate::failure::Outcome;
use crate::output::{Console, visible};
use crate::paint::Paint;
use crate::table::Table;
use crate::values;

use super::{connect, list_filter};

/// `pocketdock list [--project PROJECT] [--running]`
pub(crate) fn list(mut args: Args, console: &mut Console<'_>) -> Outcome {
    let mut filter = list_filter(args.parsed("--project", values::project)?.as_deref());
    if args.flag("--running") {
        filter = filter.running();
    }
    args.finish()?;

    let items = connect(console)?.list(&filter)?;
    if console.globals.json {
        let items: Vec<Value> = items.iter().map(item_value).collect();
        console.print_json(&items.into())?;
    } else if console.globals.quiet {
        let names: String = items
            .iter()
            .map(|item| format!("{}\n", visible(&item.name)))
            .collect();
        console.print(&names)?;
    } else {
        let text = table(&items).render(console.out_paint, console.columns);
        console.print(&text)?;
        if items.is_empty() && console.columns.is_some() {
            console.note("no sandboxes; 'pocketdock create' makes one");
        }
    }
    Ok(0)
}

fn item_value(item: &ContainerListItem) -> Value {
    Value::object([
        ("id", item.id.as_str().into()),
        ("name", item.name.as_str().into()),
        ("status", item.status.as_str().into()),
        ("image", item.image.as_str().into()),
        ("created_at", item.created_at.to_string().into()),
        ("persist", item.persist.into()),
        ("project", item.project.clone().into()),
        ("profile", item.profile.clone().into()),
    ])
}

fn table(items: &[ContainerListItem]) -> Table {
    let now = Timestamp::from(SystemTime::now());
    let mut table = Table::new(&["NAME", "ID", "STATUS", "IMAGE", "AGE", "PERSIST", "PROJECT"]);
    for item in items {
        let age = age(now.since(item.created_at));
        let short_id: String = item.id.chars().take(SHORT_ID_LEN).collect();
        let persist = if item.persist { "yes" } else { "no" };
        let project = item.project.as_deref().unwrap_or_default();
        let fields = [
            &item.name,
            &short_id,
            &item.status,
            &item.image,
            &age,
            persist,
            project,
        ];
        table.colored_row(&fields, |heading, text| match heading {
            "STATUS" => Paint::status(text),
            _ => Paint::PLAIN,
        });
    }
    table
}

/// As many digits of an ID as docker and podman show.
const SHORT_ID_LEN: usize = 12;

/// The largest unit is exact enough for an age.
fn age(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// `pocketdock info CONTAINER`
pub(crate) fn info(mut args: Args, console: &mut Console<'_>) -> Outcome {
    let name = args.positional("CONTAINER")?;
    args.finish()?;
    checked_reference(&name)?;

    let info = connect(console)?.open(&name)?.info()?;
    if console.globals.json {
        console.print_json(&info_value(&info))?;
    } else {
        let text = describe(&info, console.out_paint, console.columns);
        console.print(&text)?;
    }
    Ok(0)
}

fn info_value(info: &ContainerInfo) -> Value {
    let ports = info.ports.iter().map(|port| {
        Value::object([
            ("container", port.container.as_str().into()),
            ("host_address", port.host_address.as_str().into()),
            ("host_port", port.host_port.into()),
        ])
    });
    let processes = info.processes.as_ref().map(|processes| {
        let processes = processes.iter().map(|process| {
            Value::object([
                ("pid", process.pid.into()),
                ("user", process.user.as_str().into()),
                ("command", process.command.as_str().into()),
            ])
        });
        processes.collect::<Vec<_>>()
    });
    Value::object([
        ("id", info.id.as_str().into()),
        ("name", info.name.as_str().into()),
        ("status", info.status.as_str().into()),
        ("image", info.image.as_str().into()),
        (
            "created_at",
            info.created_at.map(|at| at.to_string()).into(),
        ),
        (
            "started_at",
            info.started_at.map(|at| at.to_string()).into(),
        ),
        (
            "uptime_s",
            info.uptime.map(|uptime| uptime.as_secs()).into(),
        ),
        ("memory_usage_bytes", info.memory_usage_bytes.into()),
        ("memory_limit_bytes", info.memory_limit_bytes.into()),
        ("memory_percent", info.memory_percent().map(rounded).into()),
        ("cpu_percent", info.cpu_percent.map(rounded).into()),
        ("pids", info.pids.into()),
        ("network", info.network.as_str().into()),
        ("ip_address", info.ip_address.clone().into()),
        ("ports", ports.collect::<Vec<_>>().into()),
        ("processes", processes.into()),
        ("persist", info.persist.into()),
        ("project", info.project.clone().into()),
        ("profile", info.profile.clone().into()),
    ])
}

/// A sample has no more than two digits to say.
fn rounded(percent: f64) -> f64 {
    (percent * 100.0).round() / 100.0
}

/// One fact a line; what there is nothing to say about is left out.
fn describe(info: &ContainerInfo, paint: Paint, columns: Option<usize>) -> String {
    let mut text = String::new();
    for (label, fact) in facts(info) {
        let fact = match (label, fact) {
            (_, None) => continue,
            ("status", Some(fact)) => paint.wrap(Paint::status(&fact), &visible(&fact)),
            (_, Some(fact)) => visible(&fact),
        };
        text.push_str(&paint.bold(label));
        text.push_str(&" ".repeat(FACT_COLUMN - label.len()));
        text.push_str(&fact);
        text.push('\n');
    }
    if let Some(processes) = info
        .processes
        .as_ref()
        .filter(|processes| !processes.is_empty())
    {
        let mut table = Table::new(&["PID", "USER", "COMMAND"]);
        for process in processes {
            table.row(&[&process.pid.to_string(), &process.user, &process.command]);
        }
        text.push('\n');
        text.push_str(&table.render(paint, columns));
    }
    text
}

/// Where the facts begin.
const FACT_COLUMN: usize = 10;

fn facts(info: &ContainerInfo) -> [(&'static str, Option<String>); 15] {
    [
        ("name", Some(info.name.clone())),
        ("id", Some(info.id.clone())),
        ("status", Some(info.status.clone())),
        ("exit code", info.exit_code.map(|code| code.to_string())),
        ("uptime", info.uptime.map(age)),
        ("created", info.created_at.map(|at| format!("{at:.0}"))),
        ("image", Some(info.image.clone())),
        ("profile", info.profile.clone()),
        ("project", info.project.clone()),
        ("persist", info.persist.then(|| "yes".to_owned())),
        ("memory", memory(info)),
        ("cpu", cpu(info)),
        ("pids", pids(info)),
        ("network", Some(network(info))),
        ("ports", ports(info)),
    ]
}

/// `12 MiB of 64 MiB (18.8 %)`, `12 MiB`, or only the limit if it does not run.
fn memory(info: &ContainerInfo) -> Option<String> {
    let limit = info.memory_limit_bytes.map(format_size);
    match (
        info.memory_usage_bytes.map(format_size),
        limit,
        info.memory_percent(),
    ) {
        (Some(usage), Some(limit), Some(percent)) => {
            Some(format!("{usage} of {limit} ({percent:.1} %)"))
        }
        (Some(usage), ..) => Some(usage),
        (None, Some(limit), _) => Some(format!("limit {limit}")),
        (None, None, _) => None,
    }
}

fn cpu(info: &ContainerInfo) -> Option<String> {
    let limit = info
        .cpu_limit_percent
        .map(|limit| format!("limit {limit:.0} %"));
    match (info.cpu_percent, limit) {
        (Some(share), Some(limit)) => Some(format!("{share:.1} %, {limit}")),
        (Some(share), None) => Some(format!("{share:.1} %")),
        (None, limit) => limit,
    }
}

fn pids(info: &ContainerInfo) -> Option<String> {
    match (info.pids, info.pids_limit) {
        (Some(pids), Some(limit)) => Some(format!("{pids} of {limit}")),
        (Some(pids), None) => Some(pids.to_string()),
        (None, Some(limit)) => Some(format!("limit {limit}")),
        (None, None) => None,
    }
}

fn network(info: &ContainerInfo) -> String {
    match &info.ip_address {
        Some(address) => format!("{}, {address}", info.network),
        None => info.network.clone(),
    }
}

fn ports(info: &ContainerInfo) -> Option<String> {
    let shown = info.ports.iter().map(|port| {
        format!(
            "{}:{} -> {}",
            port.host_address, port.host_port, port.container
        )
    });
    let shown: Vec<String> = shown.collect();
    (!shown.is_empty()).then(|| shown.join(", "))
}
