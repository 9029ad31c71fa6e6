//! Where keys stand: a list in which each key knows the one that its mapping belongs to.

use crate::wire::yaml::Position;

/// The keys of a document with their places.
#[derive(Debug, Clone, Default)]
pub(super) struct Marks(Vec<Mark>);

#[derive(Debug, Clone)]
struct Mark {
    /// The mark of the key that this one is under.
    parent: Option<usize>,
    key: String,
    position: Position,
}

impl Marks {
    /// Adds a key; the answer is its mark.
    pub(super) fn add(&mut self, parent: Option<usize>, key: &str, position: Position) -> usize {
        self.0.push(Mark {
            parent,
            key: key.to_owned(),
            position,
        });
        self.0.len() - 1
    }

    /// The line of a key that was added.
    pub(super) fn line_of(&self, parent: Option<usize>, key: &str) -> usize {
        let found = self.position_of(parent, key);
        found.map_or(0, |(_, mark)| mark.position.line)
    }

    /// The place of the last key of a path from the root.
    pub(super) fn find(&self, path: &[&str]) -> Option<Position> {
        let (mut parent, mut position) = (None, None);
        for key in path {
            let (at, mark) = self.position_of(parent, key)?;
            (parent, position) = (Some(at), Some(mark.position));
        }
        position
    }

    fn position_of(&self, parent: Option<usize>, key: &str) -> Option<(usize, &Mark)> {
        let is_it = |(_, mark): &(usize, &Mark)| mark.parent == parent && mark.key == key;
        self.0.iter().enumerate().find(is_it)
    }
}
