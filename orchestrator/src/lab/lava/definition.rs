//! The definition of a job, from a template. Pure.

use orchestrator_protocol::console::FINISHED;
use serde_yaml::{Mapping, Value};

/// For LAVA's QEMU devices.
pub(super) const BUILT_IN: &str = include_str!("qemu.yaml");

/// Words that a template must use, or the job would boot something else or never end.
const NEEDED: [&str; 5] = ["kernel_url", "initrd_url", "command_line", "boot_seconds", "prompt"];

/// Words that it may use.
const ALLOWED: [&str; 9] =
    ["kernel_url", "initrd_url", "command_line", "boot_seconds", "prompt", "memory_mib", "cpus", "arch", "lava_arch"];

/// Keys of a job that are ours to set.
const OURS: [&str; 3] = ["job_name", "device_type", "timeouts"];

/// What a job is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parts {
    /// Name, by which it is found again.
    pub name: String,
    /// Device type.
    pub device_type: String,
    /// Address of the kernel.
    pub kernel_url: String,
    /// Address of the initramfs.
    pub initrd_url: String,
    /// Kernel command line beside what the template adds.
    pub command_line: String,
    /// Kernel `ARCH`.
    pub arch: String,
    /// Memory in MiB.
    pub memory_mib: u32,
    /// CPUs.
    pub cpus: u32,
    /// From the kernel's start to the agent's last words, in seconds.
    pub boot_seconds: u64,
}

/// What is wrong with a template, one sentence each.
pub(super) fn template_problems(template: &str) -> Vec<String> {
    let words = match words(template) {
        Ok(words) => words,
        Err(problem) => return vec![problem],
    };
    let mut problems = Vec::new();
    for word in &words {
        if !ALLOWED.contains(&word.as_str()) {
            let hint =
                crate::config::closest(word, ALLOWED).map_or(String::new(), |near| format!("; did you mean {near}?"));
            problems.push(format!("`{{{{{word}}}}}` is not known{hint}"));
        }
    }
    for word in NEEDED.into_iter().filter(|word| !words.iter().any(|used| used == word)) {
        problems.push(format!("it does not use `{{{{{word}}}}}`"));
    }
    if problems.is_empty()
        && let Err(problem) = definition(template, &example())
    {
        problems.push(problem);
    }
    problems
}

/// Parts with which a template is tried.
fn example() -> Parts {
    Parts {
        name: "name".to_owned(),
        device_type: "type".to_owned(),
        kernel_url: "http://lab/kernel".to_owned(),
        initrd_url: "http://lab/initrd".to_owned(),
        command_line: "a=1 memmap=1G$0x80000000".to_owned(),
        arch: "x86_64".to_owned(),
        memory_mib: 1024,
        cpus: 2,
        boot_seconds: 60,
    }
}

/// The words in double braces, in order.
fn words(template: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    for (number, line) in template.lines().enumerate() {
        let mut rest = line;
        while let Some((_, after)) = rest.split_once("{{") {
            let (word, after) =
                after.split_once("}}").ok_or_else(|| format!("line {}: `{{{{` without `}}}}`", number + 1))?;
            words.push(word.trim().to_owned());
            rest = after;
        }
    }
    Ok(words)
}

/// Fills in a template.
///
/// # Errors
/// One sentence: it is no YAML of a job, or a value would break out of its quotes.
pub(super) fn definition(template: &str, parts: &Parts) -> Result<String, String> {
    let values = [
        ("kernel_url", parts.kernel_url.clone()),
        ("initrd_url", parts.initrd_url.clone()),
        ("command_line", parts.command_line.clone()),
        ("boot_seconds", parts.boot_seconds.to_string()),
        ("prompt", FINISHED.to_owned()),
        ("memory_mib", parts.memory_mib.to_string()),
        ("cpus", parts.cpus.to_string()),
        ("arch", parts.arch.clone()),
        ("lava_arch", lava_arch(&parts.arch).to_owned()),
    ];
    let mut text = String::new();
    let mut rest = template;
    // In one pass: what is filled in is not looked at again.
    while let Some((before, after)) = rest.split_once("{{") {
        let (word, after) = after.split_once("}}").ok_or("`{{` without `}}`")?;
        let (name, value) =
            values.iter().find(|(name, _)| *name == word.trim()).ok_or_else(|| format!("`{word}` is not known"))?;
        // It stands in the quotes of YAML, in those of QEMU's arguments, and in LAVA's own single braces.
        if let Some(c) = value.chars().find(|c| c.is_control() || "\"'\\{}`".contains(*c)) {
            return Err(format!("{name} holds {c:?}, which cannot stand in a job of LAVA's: {value}"));
        }
        text.push_str(before);
        text.push_str(value);
        rest = after;
    }
    text.push_str(rest);
    let mut job: Mapping = serde_yaml::from_str(&text).map_err(|error| format!("it is no job of LAVA's: {error}"))?;
    if let Some(key) = OURS.into_iter().find(|key| job.contains_key(*key)) {
        return Err(format!("`{key}` is set by the orchestrator: take it out"));
    }
    let actions = job.get("actions").and_then(Value::as_sequence).ok_or("it has no list of `actions`")?;
    for action in ["deploy", "boot"] {
        if !actions.iter().any(|entry| entry.get(action).is_some()) {
            return Err(format!("its actions have no `{action}`"));
        }
    }
    job.insert("job_name".into(), parts.name.as_str().into());
    job.insert("device_type".into(), parts.device_type.as_str().into());
    job.entry("visibility".into()).or_insert("public".into());
    job.entry("priority".into()).or_insert("medium".into());
    let seconds = |seconds: u64| Value::Mapping([(Value::from("seconds"), Value::from(seconds))].into_iter().collect());
    let timeouts = [
        ("job", parts.boot_seconds + DEPLOY),
        ("action", parts.boot_seconds.max(DEPLOY)),
        // Between two prompts: the agent's last words are the only one.
        ("connection", parts.boot_seconds),
    ];
    let timeouts = timeouts.into_iter().map(|(name, value)| (Value::from(name), seconds(value))).collect();
    job.insert("timeouts".into(), Value::Mapping(timeouts));
    serde_yaml::to_string(&job).map_err(|error| error.to_string())
}

/// Seconds for everything in a job beside the boot itself: downloads, power, the end.
const DEPLOY: u64 = 1800;

/// LAVA's word for an architecture.
fn lava_arch(arch: &str) -> &str {
    match arch {
        "x86_64" => "amd64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_template_makes_a_job() {
        assert_eq!(template_problems(BUILT_IN), Vec::<String>::new());
        insta::assert_snapshot!(definition(BUILT_IN, &example()).unwrap());
    }

    #[test]
    fn nothing_breaks_out_of_its_quotes() {
        for value in ["a=\"b\"", "a='", "a\\", "a={kernel}", "a\nb: c", "`x`"] {
            let error = definition(BUILT_IN, &Parts { command_line: value.to_owned(), ..example() }).unwrap_err();
            assert!(error.starts_with("command_line holds"), "{error}");
        }
        let twice = Parts { command_line: "{{arch}}".into(), ..example() };
        assert!(definition(BUILT_IN, &twice).is_err());
    }

    #[test]
    fn all_that_is_wrong_with_a_template_is_told() {
        let problems = template_problems("actions: ['{{kernel_ulr}}', '{{initrd_url}} {{prompt}}']");
        assert_eq!(problems.len(), 4, "{problems:?}");
        assert!(problems[0].contains("did you mean kernel_url?"), "{problems:?}");
        let all = "{{kernel_url}} {{initrd_url}} {{command_line}} {{boot_seconds}} {{prompt}}";
        let cases = [
            (format!("x: '{all}'"), "no list of `actions`"),
            (format!("x: '{all}'\nactions: [{{deploy: {{}}}}]"), "no `boot`"),
            (format!("x: '{all}'\njob_name: x"), "`job_name` is set"),
            (format!("{all}\n{{{{open"), "line 2"),
            (format!("- '{all}'"), "no job"),
        ];
        for (text, word) in cases {
            let problems = template_problems(&text);
            assert!(problems.iter().any(|problem| problem.contains(word)), "{word}: {problems:?}");
        }
    }
}
