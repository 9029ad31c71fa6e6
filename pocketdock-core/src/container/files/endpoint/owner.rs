//! The numbers of a sandbox's user, found without a command in it: in its `/etc/passwd` and
//! `/etc/group`, as the engine finds them when it starts one.

use std::io;

use crate::container::files::access::Access;
use crate::container::files::endpoint::get;
use crate::container::files::pack::Owner;
use crate::container::files::path::SandboxPath;
use crate::container::handle::Container;
use crate::error::{Error, Result};
use crate::wire::digits;

/// The longest file of users or groups that is read.
const ACCOUNTS_LEN_MAX: u64 = 1024 * 1024;

/// The numbers of the sandbox's user, as the engine finds them.
pub(super) fn find_owner(container: &Container, access: &Access) -> Result<Owner> {
    let number = |text: &str| digits::decimal(text.as_bytes());
    let (user, group) = (access.user.as_str(), access.group.as_str());
    let (mut uid, mut gid) = match user {
        "" => (Some(0), Some(0)),
        user => (number(user), None),
    };
    if uid.is_none() || (group.is_empty() && gid.is_none()) {
        let users = accounts(container, access, "/etc/passwd")?;
        if let Some(row) = find_row(&users, user, Some(2)) {
            (uid, gid) = (
                field(row, 2).and_then(number),
                field(row, 3).and_then(number),
            );
        }
    }
    if !group.is_empty() {
        gid = number(group);
        if gid.is_none() {
            let groups = accounts(container, access, "/etc/group")?;
            gid = find_row(&groups, group, None).and_then(|row| field(row, 2).and_then(number));
        }
    }
    match (uid, gid.or(group.is_empty().then_some(0))) {
        (Some(uid), Some(gid)) => Ok(Owner {
            uid,
            gid,
            keeps_rights: false,
        }),
        _ => Err(Error::io(
            "find the owner of files in the sandbox",
            io::Error::other(format!("its user '{user}' has no number")),
        )),
    }
}

/// A file of users or groups; empty if there is none.
fn accounts(container: &Container, access: &Access, path: &str) -> Result<String> {
    match get::read(
        container,
        access,
        &SandboxPath::parse(path)?,
        ACCOUNTS_LEN_MAX,
    ) {
        Err(Error::PathNotFound { .. }) => Ok(String::new()),
        content => content.map(|content| String::from_utf8_lossy(&content).into_owned()),
    }
}

/// The row of a name, or of what stands in another column.
fn find_row<'a>(table: &'a str, name: &str, or_column: Option<usize>) -> Option<&'a str> {
    table.lines().find(|row| {
        let is = |column| field(row, column) == Some(name);
        is(0) || or_column.is_some_and(is)
    })
}

fn field(row: &str, column: usize) -> Option<&str> {
    row.split(':').nth(column)
}
