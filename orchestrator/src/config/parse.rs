//! From the text of a file to a [`Document`], with every problem on the way.

use std::borrow::Cow;
use std::collections::HashMap;

use camino::Utf8Path;
use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};

use super::document::{Document, Entry, Node, Position, Value};
use super::problem::{ConfigError, Problem};

/// Most values a file may have, aliases expanded: far beyond any real file, far below what would hurt.
const NODE_LIMIT: usize = 100_000;
/// Deepest nesting.
const DEPTH_LIMIT: usize = 64;

/// A collection that is not closed yet.
enum Open {
    Sequence { position: Position, anchor: usize, items: Vec<Node> },
    Mapping { position: Position, anchor: usize, entries: Vec<Entry>, key: Option<Key> },
}

/// A key that waits for its value; a duplicate has no text.
struct Key {
    text: Option<String>,
    position: Position,
}

/// Builds the tree from events. A problem that leaves the tree sound (duplicate key, tag) is noted and parsing goes
/// on; one that does not (syntax, limits) ends it.
struct Builder<'a> {
    file: &'a Utf8Path,
    open: Vec<Open>,
    root: Option<Node>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    problems: Vec<Problem>,
}

/// Parses `text`, which was read from `file`.
///
/// # Errors
/// All problems found: a syntax error, or every duplicate key, odd key and tag.
pub(super) fn parse(file: &Utf8Path, text: &str) -> Result<Document, ConfigError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut builder =
        Builder { file, open: Vec::new(), root: None, anchors: HashMap::new(), nodes: 0, problems: Vec::new() };
    for event in Parser::new_from_str(text) {
        let step = match event {
            Ok((event, span)) => builder.event(event, position(&span)),
            Err(error) => {
                let marker = error.marker();
                let position = Position { line: marker.line().max(1), column: marker.col() + 1 };
                Err(builder.problem(position, format!("not valid YAML: {}", error.info()), syntax_hint(text, position)))
            }
        };
        if let Err(problem) = step {
            builder.problems.push(problem);
            break;
        }
    }
    if builder.problems.is_empty() && builder.root.is_none() {
        let problem = Problem::of_file(file, "the file is empty", "docs/user-guide.md shows what belongs into it");
        return Err(problem.into());
    }
    ConfigError::unless_empty(builder.problems)?;
    let root = builder.root.expect("a document without problems has a root");
    Ok(Document { file: file.to_owned(), root })
}

fn position(span: &Span) -> Position {
    Position { line: span.start.line().max(1), column: span.start.col() + 1 }
}

/// The two mistakes that make most syntax errors.
fn syntax_hint(text: &str, position: Position) -> Option<String> {
    let near = text.lines().skip(position.line.saturating_sub(2)).take(2);
    near.into_iter()
        .any(|line| line.trim_start_matches(' ').starts_with('\t'))
        .then(|| "indent with spaces, not tabs".to_owned())
}

impl Builder<'_> {
    fn problem(&self, position: Position, message: impl Into<String>, hint: Option<String>) -> Problem {
        Problem {
            file: self.file.to_owned(),
            line: position.line,
            column: position.column,
            message: message.into(),
            hint,
        }
    }

    fn event(&mut self, event: Event<'_>, position: Position) -> Result<(), Problem> {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) if self.root.is_some() => {
                Err(self.problem(position, "a second document begins here", Some("write one document per file".into())))
            }
            Event::DocumentStart(_) => Ok(()),
            Event::Alias(anchor) => match self.anchors.get(&anchor) {
                Some(node) => {
                    let node = node.clone();
                    self.nodes += count(&node);
                    self.value(Node { position, ..node }, 0)
                }
                None => Err(self.problem(position, "an alias refers to its own anchor", None)),
            },
            Event::Scalar(text, style, anchor, tag) => {
                let value = self.scalar(text, style, tag.as_deref(), position);
                self.value(Node { position, value }, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_tag(tag.as_deref(), "seq", position);
                self.begin(Open::Sequence { position, anchor, items: Vec::new() }, position)
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_tag(tag.as_deref(), "map", position);
                self.begin(Open::Mapping { position, anchor, entries: Vec::new(), key: None }, position)
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::Sequence { position, anchor, items }) => {
                    self.value(Node { position, value: Value::Sequence(items) }, anchor)
                }
                Some(Open::Mapping { position, anchor, entries, .. }) => {
                    self.value(Node { position, value: Value::Mapping(entries) }, anchor)
                }
                None => Err(self.problem(position, "not valid YAML: unexpected end of a collection", None)),
            },
        }
    }

    fn begin(&mut self, open: Open, position: Position) -> Result<(), Problem> {
        if self.open.len() >= DEPTH_LIMIT {
            return Err(self.problem(position, format!("nested deeper than {DEPTH_LIMIT} levels"), None));
        }
        self.open.push(open);
        Ok(())
    }

    /// Puts a finished value where it belongs.
    fn value(&mut self, node: Node, anchor: usize) -> Result<(), Problem> {
        self.nodes += 1;
        if self.nodes > NODE_LIMIT {
            return Err(self.problem(node.position, format!("the file has more than {NODE_LIMIT} values"), None));
        }
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.pop() {
            None => self.root = Some(node),
            Some(Open::Sequence { position, anchor, mut items }) => {
                items.push(node);
                self.open.push(Open::Sequence { position, anchor, items });
            }
            Some(Open::Mapping { position, anchor, mut entries, key }) => {
                let key = match key {
                    None => Some(self.key(node, &entries)),
                    Some(Key { text: Some(key), position }) => {
                        entries.push(Entry { key, position, node });
                        None
                    }
                    Some(Key { text: None, .. }) => None,
                };
                self.open.push(Open::Mapping { position, anchor, entries, key });
            }
        }
        Ok(())
    }

    fn key(&mut self, node: Node, entries: &[Entry]) -> Key {
        let position = node.position;
        let text = match node.value {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            Value::Bool(value) => value.to_string(),
            Value::Null | Value::Sequence(_) | Value::Mapping(_) => {
                let problem = self.problem(position, "a key must be a word", Some("write `key: value`".to_owned()));
                self.problems.push(problem);
                return Key { text: None, position };
            }
        };
        if let Some(first) = entries.iter().find(|entry| entry.key == text) {
            let message = format!("the key `{text}` stands here a second time; first on line {}", first.position.line);
            let problem = self.problem(position, message, Some("remove one of them".to_owned()));
            self.problems.push(problem);
            return Key { text: None, position };
        }
        Key { text: Some(text), position }
    }

    fn scalar(&mut self, text: Cow<'_, str>, style: ScalarStyle, tag: Option<&Tag>, position: Position) -> Value {
        let is_string = tag.is_some_and(|tag| tag.is_yaml_core_schema() && tag.suffix == "str");
        if !is_string {
            self.refuse_tag(tag, "str", position);
        }
        match style {
            ScalarStyle::Plain if !is_string => resolve(&text),
            ScalarStyle::Plain
            | ScalarStyle::SingleQuoted
            | ScalarStyle::DoubleQuoted
            | ScalarStyle::Literal
            | ScalarStyle::Folded => Value::String(text.into_owned()),
        }
    }

    fn refuse_tag(&mut self, tag: Option<&Tag>, implied: &str, position: Position) {
        let Some(tag) = tag.filter(|tag| !(tag.is_yaml_core_schema() && tag.suffix == implied)) else { return };
        let message = format!("the tag `{}{}` has no meaning here", tag.handle, tag.suffix);
        let problem = self.problem(position, message, Some("remove the tag".to_owned()));
        self.problems.push(problem);
    }
}

fn count(node: &Node) -> usize {
    1 + match &node.value {
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
        Value::Sequence(items) => items.iter().map(count).sum::<usize>(),
        Value::Mapping(entries) => entries.iter().map(|entry| count(&entry.node)).sum::<usize>(),
    }
}

/// What a plain scalar means in the YAML 1.2 core schema: `yes`, `on` and `y` are words there.
fn resolve(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => (),
    }
    let radix = |digits: &str, radix| u64::from_str_radix(digits, radix).ok().map(serde_json::Number::from);
    let number = if let Some(digits) = text.strip_prefix("0x") {
        radix(digits, 16)
    } else if let Some(digits) = text.strip_prefix("0o") {
        radix(digits, 8)
    } else {
        decimal(text)
    };
    number.map_or_else(|| Value::String(text.to_owned()), Value::Number)
}

fn decimal(text: &str) -> Option<serde_json::Number> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    if unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        let value = text.strip_prefix('+').unwrap_or(text);
        return value.parse::<u64>().map(Into::into).or_else(|_| value.parse::<i64>().map(Into::into)).ok();
    }
    // Rust reads the floats of the core schema, but also `1_0`-free oddities such as `infinity`, excluded above.
    text.parse::<f64>().ok().and_then(serde_json::Number::from_f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> String {
        parse("a.yaml".into(), text).unwrap().root.to_json().to_string()
    }

    fn problems(text: &str) -> String {
        parse("a.yaml".into(), text).unwrap_err().to_string()
    }

    #[test]
    fn scalars_follow_the_core_schema() {
        assert_eq!(
            json(
                "[y, n, yes, on, true, ~, '1', 12, -3, +4, 0x10, 0o17, 1.5, .5, 6.12.117, 1e3, !!str 7, -a, 2026-01-01]"
            ),
            r#"["y","n","yes","on",true,null,"1",12,-3,4,16,15,1.5,0.5,"6.12.117",1000.0,"7","-a","2026-01-01"]"#
        );
    }

    #[test]
    fn aliases_and_byte_order_marks_are_understood() {
        assert_eq!(json("\u{feff}a: &x [1, 2]\nb: *x\n"), r#"{"a":[1,2],"b":[1,2]}"#);
    }

    #[test]
    fn positions_are_those_of_keys_and_items() {
        let document = parse("a.yaml".into(), "\u{feff}trees:\n  linux-6.12:\n    sources:\n      - git: x\n").unwrap();
        for (path, expected) in [
            (&["trees"][..], (1, 1)),
            (&["trees", "linux-6.12"], (2, 3)),
            (&["trees", "linux-6.12", "sources", "0"], (4, 9)),
            (&["trees", "linux-6.12", "sources", "0", "git"], (4, 9)),
            (&["trees", "linux-6.12", "sources", "7"], (3, 5)),
            (&["trees", "nowhere", "else"], (1, 1)),
        ] {
            assert_eq!(document.line_of(path), expected, "{path:?}");
        }
    }

    #[test]
    fn every_duplicate_and_tag_is_named() {
        insta::assert_snapshot!(problems("a: 1\nb: !weird 2\na: 3\nc:\n  d: 1\n  d: 2\n"), @r"
        a.yaml:2:4: the tag `!weird` has no meaning here (remove the tag)
        a.yaml:3:1: the key `a` stands here a second time; first on line 1 (remove one of them)
        a.yaml:6:3: the key `d` stands here a second time; first on line 5 (remove one of them)
        ");
    }

    #[test]
    fn broken_files_are_refused_with_a_place() {
        insta::assert_snapshot!(problems("a: [1, 2\nb: 3\n"), @"a.yaml:2:2: not valid YAML: illegal placement of ':' indicator");
        insta::assert_snapshot!(problems("a:\n\tb: 1\n"), @"a.yaml:2:2: not valid YAML: tabs disallowed within this context (block indentation) (indent with spaces, not tabs)");
        insta::assert_snapshot!(problems("a: 1\n---\nb: 2\n"), @"a.yaml:2:1: a second document begins here (write one document per file)");
        insta::assert_snapshot!(problems("# nothing\n"), @"a.yaml: the file is empty (docs/user-guide.md shows what belongs into it)");
        insta::assert_snapshot!(problems("[a, b]: 1\n"), @"a.yaml:1:1: a key must be a word (write `key: value`)");
    }

    #[test]
    fn bombs_are_refused() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..10 {
            let list = vec![format!("*a{}", level - 1); 10].join(", ");
            bomb.push_str(&format!("a{level}: &a{level} [{list}]\n"));
        }
        assert!(problems(&bomb).contains("more than 100000 values"));
        assert_eq!(problems(&"- ".repeat(70)), "a.yaml:1:129: nested deeper than 64 levels");
        assert!(problems(&"[".repeat(5000)).contains("recursion limit"));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[ -~\n\t]{0,200}") {
            let _ = parse("a.yaml".into(), &text);
        }
    }
}
