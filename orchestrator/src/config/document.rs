//! A YAML document that remembers where each of its values was written.

use camino::{Utf8Path, Utf8PathBuf};

use super::Problem;

/// A place in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// A value and where it begins.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) position: Position,
    pub(super) value: Value,
}

/// What a node holds. Scalars are resolved by the YAML 1.2 core schema.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    String(String),
    Sequence(Vec<Node>),
    Mapping(Vec<Entry>),
}

/// One key of a mapping with its value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) position: Position,
    pub(super) node: Node,
}

impl Node {
    /// The same data without positions.
    #[cfg(test)]
    pub(super) fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => serde_json::Value::Bool(*value),
            Value::Number(value) => serde_json::Value::Number(value.clone()),
            Value::String(value) => serde_json::Value::String(value.clone()),
            Value::Sequence(items) => items.iter().map(Node::to_json).collect(),
            Value::Mapping(entries) => entries
                .iter()
                .map(|entry| (entry.key.clone(), entry.node.to_json()))
                .collect::<serde_json::Map<_, _>>()
                .into(),
        }
    }
}

/// A parsed file: its values and where they were written.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    pub(super) file: Utf8PathBuf,
    pub(super) root: Node,
}

impl Document {
    /// The file it was read from.
    pub fn file(&self) -> &Utf8Path {
        &self.file
    }

    /// Where the value at `path` was written: its key in a mapping, its first character in a sequence. Steps into a
    /// sequence are decimal numbers from 0. When the path leads further than the file does, the last part that exists
    /// is given.
    pub fn position(&self, path: &[&str]) -> Position {
        let mut node = &self.root;
        let mut position = node.position;
        for step in path {
            match &node.value {
                Value::Mapping(entries) => match entries.iter().find(|entry| entry.key == *step) {
                    Some(entry) => (node, position) = (&entry.node, entry.position),
                    None => return position,
                },
                Value::Sequence(items) => match step.parse::<usize>().ok().and_then(|index| items.get(index)) {
                    Some(item) => (node, position) = (item, item.position),
                    None => return position,
                },
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return position,
            }
        }
        position
    }

    /// Line and column of [`Document::position`].
    pub fn line_of(&self, path: &[&str]) -> (usize, usize) {
        let position = self.position(path);
        (position.line, position.column)
    }

    /// A problem with the value at `path`.
    pub fn problem(&self, path: &[&str], message: impl Into<String>, hint: Option<String>) -> Problem {
        self.problem_at(self.position(path), message, hint)
    }

    pub(super) fn problem_at(&self, position: Position, message: impl Into<String>, hint: Option<String>) -> Problem {
        Problem { file: self.file.clone(), line: position.line, column: position.column, message: message.into(), hint }
    }
}
