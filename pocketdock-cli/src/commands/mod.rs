//! One function per command: take the words, call the library, print.

pub(crate) mod care;
mod detach;
pub(crate) mod exec;
pub(crate) mod files;
pub(crate) mod images;
pub(crate) mod init;
pub(crate) mod lifecycle;
pub(crate) mod logs;
pub(crate) mod look;
mod plan;
mod sandbox;
pub(crate) mod shell;
mod signals;
pub(crate) mod transfer;

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};

use pocketdock_core::engine::client::{ExchangeReport, Observer};
use pocketdock_core::{Engine, EngineOptions, ListFilter, LogLevel};

use crate::failure::Failure;
use crate::output::{Console, visible};

pub(crate) use detach::is_recorder;

/// The engine that the global options, the environment and the configuration name, or the first
/// that answers.
fn connect(console: &Console<'_>) -> Result<Engine, Failure> {
    let mut options = EngineOptions::new();
    if let Some(socket) = &console.globals.socket {
        options = options.socket(socket);
    }
    if LogLevel::Debug <= console.level {
        options = options.observer(exchange_log()?);
    }
    let engine = options.connect()?;
    if LogLevel::Debug <= console.level {
        let socket = engine.socket_path().to_string_lossy();
        let line = format!("socket {socket} ({})", engine.socket_source());
        // A stderr that can not be written to leaves no one to tell about it.
        let _ = writeln!(own_stderr()?, "{}", visible(&line));
    }
    Ok(engine)
}

/// The sandboxes that `--project` names: of one project, or all.
fn list_filter(project: Option<&str>) -> ListFilter {
    match project {
        Some(project) => ListFilter::new().project(project),
        None => ListFilter::new(),
    }
}

/// A stderr for another thread than the one that has the console.
fn own_stderr() -> io::Result<File> {
    Ok(File::from(io::stderr().as_fd().try_clone_to_owned()?))
}

/// Writes one line a request to stderr: method, target, status, milliseconds.
fn exchange_log() -> io::Result<Observer> {
    let stderr = Mutex::new(own_stderr()?);
    Ok(Arc::new(move |report: &ExchangeReport<'_>| {
        let line = exchange_line(report);
        let mut stderr = stderr.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = stderr.write_all(line.as_bytes());
    }))
}

fn exchange_line(report: &ExchangeReport<'_>) -> String {
    let status = match report.status {
        Some(status) => status.to_string(),
        None => "no answer".to_owned(),
    };
    let target = visible(report.target);
    format!(
        "{} {target} {status} {} ms\n",
        report.method,
        report.duration.as_millis()
    )
}
