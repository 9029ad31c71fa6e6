//! What can be the name of a project.

use crate::error::{Error, Result};

/// The longest name, in characters: it becomes the value of a label.
const NAME_LEN_MAX: usize = 128;

/// `name` if it can name a project: anything that can be shown on one line.
///
/// ```
/// use pocketdock_core::project::name::checked_project_name;
///
/// assert_eq!(checked_project_name("my app")?, "my app");
/// assert!(checked_project_name("two\nlines").is_err());
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::InvalidArgument`] if it is empty, longer than 128 characters, or not on one line.
pub fn checked_project_name(name: &str) -> Result<&str> {
    match is_name(name) {
        true => Ok(name),
        false => Err(Error::invalid("project name", name, FORM)),
    }
}

/// What [`checked_project_name`] accepts, in words.
pub(crate) const FORM: &str = "expected 1 to 128 characters on one line other than '.'";

/// Whether this can name a project. `.` stands for the project of the working directory.
pub(crate) fn is_name(name: &str) -> bool {
    let is_short = name.chars().nth(NAME_LEN_MAX).is_none();
    !name.is_empty() && name != "." && is_short && !name.contains(char::is_control)
}
