//! The shapes of JSON in docs/agents.md, and whether a value has one.
//!
//! A shape is the table below a heading: a path, a type, and words about it. `[]` stands for the
//! elements of an array, `?` behind a type for a key that is not always there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use pocketdock_core::wire::value::Value;

use crate::support::documents::root;

const GUIDE: &str = "docs/agents.md";

/// What a table says of one path.
#[derive(Debug)]
struct Row {
    path: String,
    kinds: Vec<String>,
    is_optional: bool,
}

/// A table.
#[derive(Debug)]
pub(crate) struct Shape {
    rows: Vec<Row>,
}

/// The tables of the guide by their headings.
pub(crate) fn shapes() -> BTreeMap<String, Shape> {
    let guide = fs::read_to_string(root().join(GUIDE)).unwrap();
    let sections = guide.split("\n### ").skip(1);
    let mut found = BTreeMap::new();
    for section in sections {
        let (heading, text) = section.split_once('\n').unwrap();
        let text = text.split("\n## ").next().unwrap();
        let table = text.split("|---|---|---|\n").nth(1).unwrap_or("");
        let rows = table.lines().take_while(|line| line.starts_with('|'));
        let rows = rows.map(Row::read).collect();
        found.insert(heading.to_owned(), Shape { rows });
    }
    found
}

impl Row {
    fn read(line: &str) -> Self {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let kinds = cells[2].trim_end_matches('?').trim();
        Row {
            path: cells[1].trim_matches('`').to_owned(),
            kinds: kinds.split(" or ").map(str::to_owned).collect(),
            is_optional: cells[2].ends_with('?'),
        }
    }

    /// Whether the value at the path may be of this kind; any number may be a whole one.
    fn takes(&self, kind: &str) -> bool {
        let is = |word: &str| self.kinds.iter().any(|known| known == word);
        is(kind) || kind == "integer" && is("number")
    }
}

impl Shape {
    /// What is wrong with values that should be of this shape. Every path has to be in one of them.
    pub(crate) fn faults(&self, values: &[Value]) -> Vec<String> {
        let mut faults = Vec::new();
        let mut seen = BTreeSet::new();
        for value in values {
            let mut leaves = Vec::new();
            self.leaves("", value, &mut leaves);
            for (path, kind) in &leaves {
                match self.row(path) {
                    Some(row) if row.takes(kind) => {}
                    Some(row) => faults.push(format!("'{path}' is {kind}, not {:?}", row.kinds)),
                    None if *kind == "null" && self.has_below(path) => {}
                    None => faults.push(format!("'{path}' ({kind}) stands in no table")),
                }
            }
            seen.extend(leaves.into_iter().map(|(path, _)| path));
            faults.extend(self.missing(value));
        }
        let unseen = self.rows.iter().filter(|row| !seen.contains(&row.path));
        faults.extend(unseen.map(|row| format!("'{}' was in no value", row.path)));
        faults
    }

    fn row(&self, path: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.path == path)
    }

    /// Whether the table goes into what is at this path.
    fn has_below(&self, path: &str) -> bool {
        let is_below = |row: &Row| {
            let rest = row.path.strip_prefix(path);
            rest.is_some_and(|rest| rest.starts_with(['.', '[']))
        };
        self.rows.iter().any(is_below)
    }

    /// The keys of an object, or of an array's first element, that are missing or out of order.
    fn missing(&self, value: &Value) -> Vec<String> {
        let (start, object) = match value.as_array() {
            Some(elements) => ("[].", elements.first().and_then(Value::as_object)),
            None => ("", value.as_object()),
        };
        let Some(object) = object else {
            return Vec::new();
        };
        let found: Vec<&str> = object.iter().map(|(key, _)| key).collect();
        let mut wanted: Vec<&str> = Vec::new();
        for row in &self.rows {
            let key = row.path.strip_prefix(start).unwrap_or(&row.path);
            let key = key.split(['.', '[']).next().unwrap();
            let is_there = found.contains(&key);
            if (is_there || !row.is_optional) && wanted.last() != Some(&key) {
                wanted.push(key);
            }
        }
        let as_wanted = found == wanted;
        (!as_wanted)
            .then(|| format!("the keys are {found:?}, not {wanted:?}"))
            .into_iter()
            .collect()
    }

    /// The paths of what is no object and no array, and what is there.
    fn leaves(&self, path: &str, value: &Value, found: &mut Vec<(String, &'static str)>) {
        let kind = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Int(_) => "integer",
            Value::String(_) => "text",
            Value::Array(elements) => {
                let path = format!("{path}[]");
                elements
                    .iter()
                    .for_each(|element| self.leaves(&path, element, found));
                return;
            }
            Value::Object(object) => {
                // One kind of object is described in one place.
                if self.row(path).is_some_and(|row| row.takes("error")) {
                    found.push((path.to_owned(), "error"));
                    return;
                }
                for (key, value) in object.iter() {
                    let dot = if path.is_empty() { "" } else { "." };
                    self.leaves(&format!("{path}{dot}{key}"), value, found);
                }
                return;
            }
            _ => "number",
        };
        found.push((path.to_owned(), kind));
    }
}
