//! The orchestrator's agent: init of the machine under test.
//!
//! It prepares the machine, runs the programs of the plan one test at a time and says all it sees as frames on the
//! results channel. It judges nothing. When something is wrong it says so on the console and on the channel, and
//! powers off without `Done`: a boot without `Done` is never taken for a finished one.
//!
//! On a real machine it is a visitor, an ordinary program that ssh starts ([`visit`]): it speaks on its standard output,
//! keeps a copy of what it said on stable storage, and never touches the power.

mod channel;
mod guest;
mod jobs;
mod list;
mod output;
mod program;
mod setup;
mod visit;

use channel::Channel;
use orchestrator_protocol::console::{CONSOLE, FINISHED};
use orchestrator_protocol::{Message, PLAN_PATH, Plan, VERSION};

/// How long a machine whose console is the results channel stays up after its last words.
const LINGER: std::time::Duration = std::time::Duration::from_secs(30);

fn main() {
    if !guest::is_init() {
        std::process::exit(visit::main(&std::env::args().skip(1).collect::<Vec<_>>()));
    }
    std::panic::set_hook(Box::new(|panic| {
        guest::say(&format!("the agent failed: {panic}"));
        guest::power_off();
    }));
    if let Err(error) = run() {
        guest::say(&error);
    }
    guest::power_off();
}

/// Does all the plan asks for.
///
/// The error is one sentence for the console; where the channel is open it was said there, too.
fn run() -> Result<(), String> {
    let mounts = setup::mounts();
    let plan = read_plan(PLAN_PATH)?;
    let named = |error: std::io::Error| format!("results tty {}: {error}", plan.results);
    let result = Channel::open(&plan.results).map_err(named).and_then(|mut channel| {
        let result = work(&plan, mounts, &mut channel);
        channel.drain();
        result.map(drop).map_err(named)
    });
    if plan.results == CONSOLE {
        if let Err(error) = &result {
            guest::say(error);
        }
        // Who records the console waits for these words, and is to see them before the machine starts anew.
        guest::say(FINISHED.trim_start_matches("orchestrator: "));
        std::thread::sleep(LINGER);
        return Ok(());
    }
    result
}

/// Whether everything was done. The error is one of the channel.
fn work(plan: &Plan, mounts: Vec<Message>, channel: &mut Channel) -> std::io::Result<bool> {
    channel.send(guest::hello())?;
    let mut ready = true;
    for message in mounts {
        ready &= report(channel, message)?;
    }
    // The kernel slows down what programs write to its log; the markers of the tests must all be there.
    guest::try_write("/proc/sys/kernel/printk_devkmsg", "on");
    for message in setup::steps(plan) {
        ready &= report(channel, message)?;
        if !ready {
            guest::say("the machine could not be prepared; no test runs");
            return Ok(false);
        }
    }
    if jobs::run(&plan.jobs, channel)? == jobs::Flow::Stop {
        return Ok(false);
    }
    if plan.unload {
        for module in plan.modules.iter().rev() {
            channel.send(setup::unload(module))?;
        }
    }
    channel.send(Message::Done)?;
    Ok(true)
}

/// Sends a set-up step; false when it spoils the results.
fn report(channel: &mut Channel, message: Message) -> std::io::Result<bool> {
    let mut good = true;
    if let Message::Setup { what, error: Some(error), fatal } = &message {
        guest::say(&format!("{what}: {error}"));
        good = !fatal;
    }
    channel.send(message)?;
    Ok(good)
}

fn read_plan(path: &str) -> Result<Plan, String> {
    let text = std::fs::read(path).map_err(|error| format!("{path}: {error}"))?;
    parse_plan(&text).map_err(|error| format!("{path}: {error}"))
}

/// The version is looked at first: a plan of another one need not have the same shape.
fn parse_plan(text: &[u8]) -> Result<Plan, String> {
    let value: serde_json::Value = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    match value.get("version").and_then(serde_json::Value::as_u64) {
        Some(version) if version == u64::from(VERSION) => {}
        Some(version) => return Err(format!("version {version}, but this agent speaks {VERSION}")),
        None => return Err("it has no version".to_owned()),
    }
    serde_json::from_value(value).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_of_another_version_is_refused_before_its_shape_matters() {
        let error = parse_plan(br#"{"version": 99, "jobs": "what"}"#).unwrap_err();
        assert_eq!(error, format!("version 99, but this agent speaks {VERSION}"));
        assert_eq!(parse_plan(b"{}").unwrap_err(), "it has no version");
        assert!(parse_plan(b"").is_err());
    }

    #[test]
    fn an_empty_plan_is_a_plan() {
        let text =
            br#"{"version":2,"results":"/dev/ttyS1","modules":[],"unload":false,"nodes":[],"settings":[],"jobs":[]}"#;
        assert_eq!(parse_plan(text).unwrap().results, "/dev/ttyS1");
    }
}
