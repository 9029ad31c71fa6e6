//! Files of a sandbox, with calls that do not block. A copy whose future is dropped goes on to its
//! end on its thread, so that nothing is left half-made.

use std::ffi::OsString;
use std::path::Path;

use crate::async_::container::AsyncContainer;
use crate::async_::operation::Operation;
use crate::container::files::report::CopyReport;
use crate::container::handle::Container;
use crate::engine::containers::ChangeKind;

impl AsyncContainer {
    /// As [`Container::write_file`].
    pub fn write_file(&self, path: &str, content: impl Into<Vec<u8>>) -> Operation<()> {
        let (path, content) = (path.to_owned(), content.into());
        self.operation(move |container| container.write_file(&path, &content))
    }

    /// As [`Container::read_file`].
    pub fn read_file(&self, path: &str) -> Operation<Vec<u8>> {
        let path = path.to_owned();
        self.operation(move |container| container.read_file(&path))
    }

    /// As [`Container::list_files`].
    pub fn list_files(&self, path: &str) -> Operation<Vec<OsString>> {
        let path = path.to_owned();
        self.operation(move |container| container.list_files(&path))
    }

    /// As [`Container::push`].
    pub fn push(&self, source: &Path, dest: &str) -> Operation<CopyReport> {
        let (source, dest) = (source.to_owned(), dest.to_owned());
        self.operation(move |container| container.push(&source, &dest))
    }

    /// As [`Container::pull`].
    pub fn pull(&self, source: &str, dest: &Path) -> Operation<CopyReport> {
        let (source, dest) = (source.to_owned(), dest.to_owned());
        self.operation(move |container| container.pull(&source, &dest))
    }

    /// As [`Container::changes`].
    pub fn changes(&self) -> Operation<Vec<(ChangeKind, String)>> {
        self.operation(Container::changes)
    }
}
