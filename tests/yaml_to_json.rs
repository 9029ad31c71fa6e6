//! Reads YAML as pocketdock does and prints it as JSON, to be compared with other readers.
//!
//! `cargo run --example yaml_to_json < documents`, where each line of `documents` is one YAML
//! document as a JSON string. Each becomes a line: `{"value":…}`, or `{"error":…}` if it is
//! refused. `tests/yaml_differential.py` compares them with what PyYAML and ruamel.yaml read.

use std::error::Error;
use std::io::{self, BufRead, BufWriter, Write};

use pocketdock_core::wire::value::Value;
use pocketdock_core::wire::{json, yaml};

fn main() -> Result<(), Box<dyn Error>> {
    let mut out = BufWriter::new(io::stdout().lock());
    for line in io::stdin().lock().lines() {
        let document = json::parse(line?.as_bytes())?;
        let text = document
            .as_str()
            .ok_or("each line has to be a JSON string")?;
        let answer = match yaml::parse(text.as_bytes()) {
            Ok(value) => Value::object([("value", value)]),
            Err(error) => Value::object([("error", error.to_string().into())]),
        };
        writeln!(out, "{}", json::to_string(&answer))?;
    }
    out.flush()?;
    Ok(())
}
