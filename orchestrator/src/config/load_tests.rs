//! What a user sees for each kind of mistake.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use schemars::JsonSchema;
use serde::Deserialize;

use super::*;

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct File {
    /// What it is called.
    name: String,
    #[serde(default)]
    kind: Kind,
    trees: BTreeMap<String, Tree>,
    #[serde(default)]
    note: Option<String>,
}

#[derive(Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    /// Words with a description become `oneOf` in the schema.
    #[default]
    Compile,
    /// Another.
    Boot,
}

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Tree {
    sources: Vec<Source>,
    #[serde(default)]
    depth: Option<u8>,
    #[serde(default)]
    shallow: bool,
}

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
enum Source {
    Git { url: String, branch: Option<String> },
    Debian { package: String },
}

fn parsed(text: &str) -> Result<File, ConfigError> {
    parse_document(Utf8Path::new("trees.yaml"), text).map(|(file, _)| file)
}

fn problems(text: &str) -> String {
    parsed(text).unwrap_err().to_string()
}

#[test]
fn a_good_file_is_read() {
    let file = parsed(
        "name: x\nkind: boot\nnote: ~\ntrees:\n  linux-6.12:\n    depth: 3\n    sources:\n      - git: {url: u}\n      - debian: {package: p}\n",
    )
    .unwrap();
    let sources = vec![Source::Git { url: "u".to_owned(), branch: None }, Source::Debian { package: "p".to_owned() }];
    let tree = Tree { sources, depth: Some(3), shallow: false };
    let expected =
        File { name: "x".to_owned(), kind: Kind::Boot, trees: [("linux-6.12".to_owned(), tree)].into(), note: None };
    assert_eq!(file, expected);
}

#[test]
fn all_problems_are_told_at_once() {
    let text = "\
nam: x
kind: bot
trees:
  linux-6.12:
    sources:
      - git: {url: 6.12, brnch: x}
      - debain: {package: p}
      - debian: {}
      - {git: {url: a}, debian: {package: b}}
    depth: 300
    shallow: yes
  mainline:
    sources: git
  next: 3
  other:
note: [a]
";
    insta::assert_snapshot!(problems(text), @r"
trees.yaml:1:1: unknown key `nam` (did you mean `name`?)
trees.yaml:2:1: kind must be one of compile, boot, not `bot` (did you mean `boot`?)
trees.yaml:6:15: trees.linux-6.12.sources[0].git.url must be text, not the number 6.12 (put it in quotes)
trees.yaml:6:26: unknown key `brnch` in trees.linux-6.12.sources[0].git (did you mean `branch`?)
trees.yaml:7:9: unknown key `debain` in trees.linux-6.12.sources[1] (did you mean `debian`?)
trees.yaml:8:9: the key `package` is missing in trees.linux-6.12.sources[2].debian
trees.yaml:9:9: trees.linux-6.12.sources[3] must have exactly one of the keys debian, git
trees.yaml:10:5: trees.linux-6.12.depth must be at most 255, not 300
trees.yaml:11:5: trees.linux-6.12.shallow must be true or false, not `yes` (write `true`)
trees.yaml:13:5: trees.mainline.sources must be a list, not `git` (begin each item on a line of its own with `- `)
trees.yaml:14:3: trees.next must be a mapping, not the number 3
trees.yaml:15:3: trees.other must be a mapping, not empty (write a value, or remove the key)
trees.yaml:16:1: note must be text, not a list
");
}

#[test]
fn a_file_of_the_wrong_shape_is_refused() {
    insta::assert_snapshot!(problems("- a\n- b\n"), @"trees.yaml:1:1: the file must be a mapping, not a list");
    insta::assert_snapshot!(problems("just words\n"), @"trees.yaml:1:1: the file must be a mapping, not `just words`");
}

#[derive(Debug, Deserialize, JsonSchema)]
#[allow(dead_code)]
struct Picky {
    items: Vec<Even>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(try_from = "u32")]
#[schemars(with = "u32")]
#[allow(dead_code)]
struct Even(u32);

impl TryFrom<u32> for Even {
    type Error = String;
    fn try_from(value: u32) -> Result<Self, String> {
        if value.is_multiple_of(2) { Ok(Even(value)) } else { Err(format!("{value} is odd")) }
    }
}

#[test]
fn what_only_the_deserialiser_knows_has_a_place_too() {
    let error = parse_document::<Picky>("p.yaml".into(), "items:\n  - 2\n  - 3\n").unwrap_err();
    assert_eq!(error.to_string(), "p.yaml:3:5: 3 is odd");
}

#[test]
fn what_yaml_reads_in_two_ways_is_refused() {
    let unclear = "YAML can read this as text or as something else (put it in quotes)";
    assert_eq!(problems("name: 0b11\ntrees: {}\n"), format!("trees.yaml:1:1: {unclear}"));
    assert_eq!(problems("name: x\ntrees:\n  6.12: {sources: []}\n"), format!("trees.yaml:3:3: {unclear}"));
    assert_eq!(parsed("name: '0b11'\ntrees: {'6.12': {sources: []}}\n").unwrap().name, "0b11");
}

proptest::proptest! {
    /// Whatever is accepted means the same to both readers, or is refused; nothing panics.
    #[test]
    fn no_text_is_read_in_two_ways(text in "(name: [-+.0-9a-fox_~]{1,8}\n|note: [-+.0-9a-fox_~\"']{0,8}\n|trees: [{}\\[\\]]{1,2}\n){1,4}") {
        if let Ok(file) = parsed(&text) {
            let first = text.lines().find_map(|line| line.strip_prefix("name: ")).unwrap();
            proptest::prop_assert_eq!(file.name, first.trim_end());
        }
    }
}

#[test]
fn a_room_can_add_problems_of_its_own() {
    let (_, document) = parse_document::<Picky>("p.yaml".into(), "items:\n  - 2\n  - 4\n").unwrap();
    let problem = document.problem(&["items", "1"], "4 is taken", Some("take 6".to_owned()));
    assert_eq!(problem.to_string(), "p.yaml:3:5: 4 is taken (take 6)");
}

#[test]
fn unreadable_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let folder = Utf8PathBuf::try_from(folder.path().to_owned()).unwrap();
    let message = |name: &str, bytes: Option<&[u8]>| {
        let file = folder.join(name);
        if let Some(bytes) = bytes {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&file, bytes).unwrap();
        }
        load::<File>(&file).unwrap_err().to_string().replace(folder.as_str(), "DIR")
    };
    assert_eq!(
        message("none.yaml", None),
        "DIR/none.yaml: the file does not exist (check the name, or write the file)"
    );
    assert_eq!(
        message("latin.yaml", Some(b"name: x\nnote: caf\xe9\n")),
        "DIR/latin.yaml:2:10: the file is not UTF-8 text (save it as UTF-8)"
    );
    assert!(message("empty.yaml", Some(b"")).starts_with("DIR/empty.yaml: the file is empty"));
    assert!(message("big.yaml", Some(&vec![b'#'; 1 << 20 | 1])).starts_with("DIR/big.yaml: is 1048577 bytes long"));
    assert_eq!(message("", None), "DIR/: is a folder, not a file (name a file inside it)");
}
