//! Comparing a document with the JSON schema of its type.
//!
//! A deserialiser stops at the first mistake and does not know where it was made. So the document is walked beside
//! the schema that schemars derives from the same type, and every mistake is collected with its place and remedy. Only
//! what schemars derives is understood; any other rule is left to the deserialiser, which runs afterwards.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::document::{Document, Entry, Node, Position, Value};
use super::problem::{Problem, closest};

/// All places where `document` does not fit `schema`.
pub(super) fn check(document: &Document, schema: &Json) -> Vec<Problem> {
    let checker = Checker { document, root: schema };
    let mut problems = Vec::new();
    checker.node(schema, &document.root, document.root.position, "", &mut problems);
    problems
}

struct Checker<'a> {
    document: &'a Document,
    root: &'a Json,
}

impl<'a> Checker<'a> {
    /// `at` is where to point: the key of the value, where it has one.
    fn node(&self, schema: &'a Json, node: &Node, at: Position, path: &str, problems: &mut Vec<Problem>) {
        let schema = self.follow(schema);
        for part in list(schema, "allOf") {
            self.node(part, node, at, path, problems);
        }
        let alternatives: Vec<&Json> = list(schema, "oneOf").chain(list(schema, "anyOf")).collect();
        if !alternatives.is_empty() {
            self.alternatives(&alternatives, node, at, path, problems);
        }
        if let Some(words) = self.words(schema) {
            self.word(&words, node, at, path, problems);
            return;
        }
        let types = types(schema);
        if !types.is_empty() && !types.iter().any(|kind| fits(kind, &node.value)) {
            let expected: Vec<&str> = types.iter().filter(|kind| **kind != "null").map(|kind| noun(kind)).collect();
            let message = format!("{} must be {}, not {}", name(path), expected.join(" or "), describe(&node.value));
            problems.push(self.document.problem_at(at, message, type_hint(&types, &node.value)));
            return;
        }
        match &node.value {
            Value::Mapping(entries) => self.mapping(schema, entries, at, path, problems),
            Value::Sequence(items) => {
                for (index, item) in items.iter().enumerate() {
                    let inner = list(schema, "prefixItems").nth(index).or_else(|| schema.get("items"));
                    if let Some(inner) = inner {
                        self.node(inner, item, item.position, &format!("{path}[{index}]"), problems);
                    }
                }
                let least = schema.get("minItems").and_then(Json::as_u64).unwrap_or(0);
                if (items.len() as u64) < least {
                    let message = format!("{} needs at least {least} item(s), has {}", name(path), items.len());
                    problems.push(self.document.problem_at(at, message, None));
                }
            }
            Value::Number(number) => self.range(schema, number, at, path, problems),
            Value::String(text) => self.text(schema, text, at, path, problems),
            Value::Null | Value::Bool(_) => (),
        }
    }

    fn mapping(&self, schema: &'a Json, entries: &[Entry], at: Position, path: &str, problems: &mut Vec<Problem>) {
        let mut known = BTreeMap::new();
        self.properties(schema, &mut known);
        let closed = [schema.get("additionalProperties"), schema.get("unevaluatedProperties")]
            .into_iter()
            .flatten()
            .any(|rule| *rule == Json::Bool(false));
        let further = schema.get("additionalProperties").filter(|rule| rule.is_object());
        // The properties of `allOf` parts were checked by those parts.
        let own = schema.get("properties").and_then(Json::as_object);
        let mut meant = Vec::new();
        for entry in entries {
            let inner = join(path, &entry.key);
            if let Some(property) = own.and_then(|own| own.get(&entry.key)) {
                self.node(property, &entry.node, entry.position, &inner, problems);
            } else if known.contains_key(entry.key.as_str()) {
            } else if let Some(further) = further {
                self.node(further, &entry.node, entry.position, &inner, problems);
            } else if closed {
                let names: Vec<&str> = known.keys().copied().collect();
                meant.extend(closest(&entry.key, names.iter().copied()));
                problems.push(self.unknown_key(entry, &names, path));
            }
        }
        for key in list(schema, "required").filter_map(Json::as_str) {
            if !entries.iter().any(|entry| entry.key == key) && !meant.contains(&key) {
                let place = within(path);
                let about = known.get(key).and_then(|property| property.get("description")).and_then(Json::as_str);
                let hint = about.and_then(|about| about.lines().next()).map(str::to_owned);
                problems.push(self.document.problem_at(at, format!("the key `{key}` is missing{place}"), hint));
            }
        }
    }

    fn unknown_key(&self, entry: &Entry, known: &[&str], path: &str) -> Problem {
        let hint = match closest(&entry.key, known.iter().copied()) {
            Some(word) => format!("did you mean `{word}`?"),
            None if known.is_empty() => "nothing may stand here".to_owned(),
            None => format!("known keys: {}", known.join(", ")),
        };
        let message = format!("unknown key `{}`{}", entry.key, within(path));
        self.document.problem_at(entry.position, message, Some(hint))
    }

    /// Reports against the alternative that the writer most likely meant, unless one fits.
    fn alternatives(
        &self,
        alternatives: &[&'a Json],
        node: &Node,
        at: Position,
        path: &str,
        problems: &mut Vec<Problem>,
    ) {
        // What may be left out is checked as what it is when it is there.
        let present: Vec<&Json> = alternatives.iter().copied().filter(|schema| types(schema) != ["null"]).collect();
        if let [schema] = present[..]
            && alternatives.len() > 1
        {
            if node.value != Value::Null {
                self.node(schema, node, at, path, problems);
            }
            return;
        }
        // A choice between words, or between types, is one sentence.
        let words: Option<Vec<String>> = alternatives
            .iter()
            .map(|schema| self.words(self.follow(schema)))
            .collect::<Option<Vec<_>>>()
            .map(|words| words.concat());
        if let Some(words) = words {
            self.word(&words, node, at, path, problems);
            return;
        }
        if let Value::Mapping(entries) = &node.value
            && let Some(variants) = self.variants(alternatives)
        {
            self.variant(&variants, entries, at, path, problems);
            return;
        }
        let mut best: Option<(usize, Vec<Problem>)> = None;
        for schema in alternatives {
            let mut found = Vec::new();
            self.node(schema, node, at, path, &mut found);
            if found.is_empty() {
                return;
            }
            let score = self.distance(self.follow(schema), node) * 1000 + found.len();
            if best.as_ref().is_none_or(|(least, _)| score < *least) {
                best = Some((score, found));
            }
        }
        let same_type = |schema: &&&Json| types(self.follow(schema)).iter().any(|kind| fits(kind, &node.value));
        if alternatives.iter().any(|schema| same_type(&schema)) {
            problems.extend(best.map(|(_, found)| found).unwrap_or_default());
            return;
        }
        let mut expected: Vec<&str> = alternatives.iter().flat_map(|schema| types(self.follow(schema))).collect();
        expected.retain(|kind| *kind != "null");
        expected.dedup();
        let nouns: Vec<&str> = expected.iter().map(|kind| noun(kind)).collect();
        let message = format!("{} must be {}, not {}", name(path), nouns.join(" or "), describe(&node.value));
        problems.push(self.document.problem_at(at, message, type_hint(&expected, &node.value)));
    }

    /// The alternatives by key, when each is a mapping with one key that names it.
    fn variants(&self, alternatives: &[&'a Json]) -> Option<BTreeMap<&'a str, &'a Json>> {
        let only = |schema: &'a Json| {
            let own = self.follow(schema).get("properties")?.as_object()?;
            let required: Vec<&str> = list(self.follow(schema), "required").filter_map(Json::as_str).collect();
            let (key, property) = own.iter().next().filter(|_| own.len() == 1)?;
            (required == [key.as_str()]).then_some((key.as_str(), property))
        };
        let mappings = alternatives.iter().filter(|schema| types(self.follow(schema)).contains(&"object"));
        let variants: Option<BTreeMap<_, _>> = mappings.map(|schema| only(schema)).collect();
        variants.filter(|variants| variants.len() > 1)
    }

    fn variant(
        &self,
        variants: &BTreeMap<&'a str, &'a Json>,
        entries: &[Entry],
        at: Position,
        path: &str,
        problems: &mut Vec<Problem>,
    ) {
        let names: Vec<&str> = variants.keys().copied().collect();
        for entry in entries {
            match variants.get(entry.key.as_str()) {
                Some(schema) => {
                    self.node(schema, &entry.node, entry.position, &join(path, &entry.key), problems);
                }
                None => problems.push(self.unknown_key(entry, &names, path)),
            }
        }
        if entries.len() != 1 {
            let message = format!("{} must have exactly one of the keys {}", name(path), names.join(", "));
            problems.push(self.document.problem_at(at, message, None));
        }
    }

    /// How far a value is from an alternative by what tells alternatives apart: type, keys it must have, fixed words.
    fn distance(&self, schema: &'a Json, node: &Node) -> usize {
        if !types(schema).iter().any(|kind| fits(kind, &node.value)) {
            return 100;
        }
        let Value::Mapping(entries) = &node.value else { return 0 };
        let find = |key: &str| entries.iter().find(|entry| entry.key == key);
        let missing = list(schema, "required").filter_map(Json::as_str).filter(|key| find(key).is_none()).count();
        let mut known = BTreeMap::new();
        self.properties(schema, &mut known);
        let wrong_word = known
            .iter()
            .filter(|(key, property)| {
                let words = self.words(self.follow(property));
                find(key).zip(words).is_some_and(|(entry, words)| match &entry.node.value {
                    Value::String(text) => !words.contains(text),
                    Value::Null | Value::Bool(_) | Value::Number(_) | Value::Sequence(_) | Value::Mapping(_) => true,
                })
            })
            .count();
        missing + wrong_word
    }

    /// The words a schema allows, when it allows words alone.
    fn words(&self, schema: &Json) -> Option<Vec<String>> {
        if let Some(word) = schema.get("const").and_then(Json::as_str) {
            return Some(vec![word.to_owned()]);
        }
        let words = schema.get("enum")?.as_array()?;
        words.iter().map(|word| word.as_str().map(str::to_owned)).collect()
    }

    fn word(&self, words: &[String], node: &Node, at: Position, path: &str, problems: &mut Vec<Problem>) {
        if matches!(&node.value, Value::String(text) if words.contains(text)) {
            return;
        }
        let choice = if words.len() == 1 { words[0].clone() } else { format!("one of {}", words.join(", ")) };
        let message = format!("{} must be {choice}, not {}", name(path), describe(&node.value));
        let near = match &node.value {
            Value::String(text) => closest(text, words.iter().map(String::as_str)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Sequence(_) | Value::Mapping(_) => None,
        };
        problems.push(self.document.problem_at(at, message, near.map(|word| format!("did you mean `{word}`?"))));
    }

    fn range(&self, schema: &Json, number: &serde_json::Number, at: Position, path: &str, problems: &mut Vec<Problem>) {
        let Some(value) = number.as_f64() else { return };
        let bound = |key: &str| schema.get(key).and_then(Json::as_f64);
        let format = schema.get("format").and_then(Json::as_str);
        let width = match format {
            Some("uint8") => Some(f64::from(u8::MAX)),
            Some("uint16") => Some(f64::from(u16::MAX)),
            Some("uint32") => Some(f64::from(u32::MAX)),
            Some("int32") => Some(f64::from(i32::MAX)),
            Some(_) | None => None,
        };
        let most = [bound("maximum"), width].into_iter().flatten().reduce(f64::min);
        if let Some(least) = bound("minimum").filter(|least| value < *least) {
            let message = format!("{} must be at least {least}, not {number}", name(path));
            problems.push(self.document.problem_at(at, message, None));
        }
        if let Some(most) = most.filter(|most| value > *most) {
            let message = format!("{} must be at most {most}, not {number}", name(path));
            problems.push(self.document.problem_at(at, message, None));
        }
    }

    fn text(&self, schema: &Json, text: &str, at: Position, path: &str, problems: &mut Vec<Problem>) {
        let least = schema.get("minLength").and_then(Json::as_u64).unwrap_or(0);
        if (text.chars().count() as u64) < least {
            let message = format!("{} must have at least {least} character(s)", name(path));
            problems.push(self.document.problem_at(at, message, None));
        }
        let pattern = schema.get("pattern").and_then(Json::as_str);
        if let Some((pattern, regex)) = pattern.and_then(|pattern| Some((pattern, regex::Regex::new(pattern).ok()?)))
            && !regex.is_match(text)
        {
            let message = format!("{} must match {pattern}, not `{text}`", name(path));
            problems.push(self.document.problem_at(at, message, None));
        }
    }

    /// The properties of a schema and of the parts it is made of.
    fn properties(&self, schema: &'a Json, known: &mut BTreeMap<&'a str, &'a Json>) {
        if let Some(own) = schema.get("properties").and_then(Json::as_object) {
            known.extend(own.iter().map(|(key, property)| (key.as_str(), property)));
        }
        for part in ["allOf", "oneOf", "anyOf"].into_iter().flat_map(|key| list(schema, key)) {
            self.properties(self.follow(part), known);
        }
    }

    /// The schema behind a `$ref`. A derived type may refer to itself but never in a circle without a value between.
    fn follow(&self, schema: &'a Json) -> &'a Json {
        let mut schema = schema;
        while let Some(target) = schema
            .get("$ref")
            .and_then(Json::as_str)
            .and_then(|target| self.root.pointer(target.trim_start_matches('#')))
        {
            schema = target;
        }
        schema
    }
}

fn list<'j>(schema: &'j Json, key: &str) -> impl Iterator<Item = &'j Json> {
    schema.get(key).and_then(Json::as_array).into_iter().flatten()
}

fn types(schema: &Json) -> Vec<&str> {
    match schema.get("type") {
        Some(Json::String(kind)) => vec![kind.as_str()],
        Some(Json::Array(kinds)) => kinds.iter().filter_map(Json::as_str).collect(),
        Some(Json::Null | Json::Bool(_) | Json::Number(_) | Json::Object(_)) | None => Vec::new(),
    }
}

fn fits(kind: &str, value: &Value) -> bool {
    match value {
        Value::Null => kind == "null",
        Value::Bool(_) => kind == "boolean",
        Value::Number(number) => kind == "number" || kind == "integer" && !number.is_f64(),
        Value::String(_) => kind == "string",
        Value::Sequence(_) => kind == "array",
        Value::Mapping(_) => kind == "object",
    }
}

fn noun(kind: &str) -> &str {
    match kind {
        "boolean" => "true or false",
        "integer" => "a whole number",
        "number" => "a number",
        "string" => "text",
        "array" => "a list",
        "object" => "a mapping",
        other => other,
    }
}

fn describe(value: &Value) -> String {
    match value {
        Value::Null => "empty".to_owned(),
        Value::Bool(value) => format!("`{value}`"),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) if text.chars().count() > 60 => {
            format!("`{}...`", text.chars().take(60).collect::<String>().escape_debug())
        }
        Value::String(text) => format!("`{}`", text.escape_debug()),
        Value::Sequence(_) => "a list".to_owned(),
        Value::Mapping(_) => "a mapping".to_owned(),
    }
}

fn type_hint(expected: &[&str], value: &Value) -> Option<String> {
    match value {
        Value::Number(_) | Value::Bool(_) if expected.contains(&"string") => Some("put it in quotes".to_owned()),
        Value::String(_) | Value::Number(_) | Value::Mapping(_) if expected.contains(&"array") => {
            Some("begin each item on a line of its own with `- `".to_owned())
        }
        Value::String(text) if expected.contains(&"boolean") && matches!(text.as_str(), "yes" | "on" | "y") => {
            Some("write `true`".to_owned())
        }
        Value::String(text) if expected.contains(&"boolean") && matches!(text.as_str(), "no" | "off" | "n") => {
            Some("write `false`".to_owned())
        }
        Value::Null => Some("write a value, or remove the key".to_owned()),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Sequence(_) | Value::Mapping(_) => None,
    }
}

fn name(path: &str) -> &str {
    if path.is_empty() { "the file" } else { path }
}

fn within(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!(" in {path}") }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
