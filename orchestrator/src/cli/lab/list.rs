//! `orchestrator lab list`: the machines, what they have, how they are, who holds them.

use clap::Args;
use comfy_table::{ContentArrangement, Table, presets};

use super::machines::{machine, names};
use super::{ExitCode, Failure, Global, start};
use crate::lab::{BoxLock, BoxState};
use crate::term::text;
use crate::words::{Hardware, Machine};

/// Arguments of `lab list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Print JSON, one machine per line
    #[arg(long)]
    json: bool,
}

/// Lists the machines. A file that is wrong is told and makes the exit code 64.
pub async fn list(global: &Global, args: &ListArgs) -> Result<ExitCode, Failure> {
    let places = start::Places::find(global)?;
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["MACHINE", "KIND", "TAGS", "STATE", "HELD"]);
    let mut wrong = Vec::new();
    for name in names(&places)? {
        let machine = match machine(&places, &name) {
            Ok(machine) => machine,
            Err(failure) => {
                wrong.push(failure.message);
                continue;
            }
        };
        let tags: Vec<String> = machine.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let (kind, state, held) = describe(&places, &machine)?;
        if args.json {
            say!(
                "{}",
                serde_json::json!({"machine": name, "kind": kind, "tags": machine.tags, "state": state, "held": held})
            );
        } else {
            table.add_row([&name, kind, &tags.join(" "), &text::visible(&state), &text::visible(&held)]);
        }
    }
    if !args.json {
        say!("{}", table.trim_fmt());
    }
    if wrong.is_empty() { Ok(ExitCode::Clean) } else { Err(Failure::usage(wrong.join("\n"))) }
}

/// Kind, state and holder in words.
fn describe(places: &start::Places, machine: &Machine) -> Result<(&'static str, String, String), Failure> {
    match &machine.hardware {
        Hardware::Qemu(_) => Ok(("guest", "made when needed".to_owned(), String::new())),
        Hardware::Lava(_) => Ok(("LAVA", "LAVA knows".to_owned(), String::new())),
        Hardware::Dut(_) => {
            let state = BoxState::load(&places.cache, &machine.name).map_err(Failure::infra)?;
            let held = BoxLock::holder(&places.cache, &machine.name).map_err(Failure::infra)?;
            Ok(("box", words(&state), held.map_or_else(String::new, |held| held.to_string())))
        }
    }
}

fn words(state: &BoxState) -> String {
    match (&state.out, state.misses, &state.well) {
        (Some(why), _, _) => format!("taken out: {why}"),
        (None, 0, Some(when)) => format!("well at {when}"),
        (None, 0, None) => "never used".to_owned(),
        (None, misses, _) => {
            let why = state.last_miss.as_deref().unwrap_or_default();
            format!("missed {misses} checks in a row, last: {why}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_that_was_taken_out_is_shown_as_such() {
        let out = BoxState { out: Some("no ssh".into()), well: Some("then".into()), ..BoxState::default() };
        assert_eq!(words(&out), "taken out: no ssh");
        let missed = BoxState { misses: 2, last_miss: Some("no ssh".into()), ..BoxState::default() };
        assert_eq!(words(&missed), "missed 2 checks in a row, last: no ssh");
        assert_eq!(words(&BoxState::default()), "never used");
    }
}
