//! The stand-in's device: QEMU, driven as a job's definition says.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use camino::Utf8Path;
use orchestrator::words::Lava;

use super::{Jobs, Lost};

/// Does what the definition says, as LAVA's QEMU devices do, once the device is free.
pub fn execute(jobs: &Jobs, number: usize, lava: &Lava, definition: &serde_yaml::Value) {
    let _device = jobs.device.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    {
        let job = &mut jobs.lock().jobs[number - 1];
        if job.state == "Finished" {
            return;
        }
        job.state = "Running";
    }
    let prompt = find(definition, "boot")["prompts"][0].as_str().unwrap();
    let mut qemu = Command::new("qemu-system-x86_64")
        .args(arguments(lava, definition))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("QEMU is installed");
    let mut lines = BufReader::new(qemu.stdout.take().unwrap());
    let mut line = Vec::new();
    loop {
        line.clear();
        let more = lines.read_until(b'\n', &mut line).unwrap_or(0) != 0;
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        let mut memory = jobs.lock();
        let lost = memory.lost == Lost::All || memory.lost == Lost::One(number);
        let job = &mut memory.jobs[number - 1];
        if job.state == "Finished" {
            break;
        }
        if !more {
            job.end("Incomplete", "fail", "Infrastructure", "Connection closed");
            break;
        }
        job.target(&text);
        // The agent's own word, before its first test.
        if lost && text.contains("orchestrator: begin") {
            job.lost = true;
            break;
        }
        if text.contains(prompt) {
            job.end("Complete", "pass", "", "");
            break;
        }
        if text.contains("end Kernel panic") {
            job.end("Incomplete", "fail", "Job", "login-action kernel 'panic'");
            break;
        }
    }
    let _ = qemu.kill();
    let _ = qemu.wait();
}

fn find<'a>(definition: &'a serde_yaml::Value, name: &str) -> &'a serde_yaml::Value {
    definition["actions"].as_sequence().unwrap().iter().find_map(|action| action.get(name)).unwrap()
}

fn arguments(lava: &Lava, definition: &serde_yaml::Value) -> Vec<String> {
    let images = &find(definition, "deploy")["images"];
    let mut words = vec!["-nographic".to_owned(), "-net".into(), "none".into(), "-monitor".into(), "none".into()];
    words.extend(["-m".to_owned(), definition["context"]["memory"].as_u64().unwrap().to_string()]);
    for option in definition["context"]["extra_options"].as_sequence().unwrap() {
        words.extend(split(option.as_str().unwrap()));
    }
    for image in ["kernel", "initrd"] {
        let url = images[image]["url"].as_str().unwrap();
        let name = url.strip_prefix(lava.publish_url.as_str()).expect("it is published").trim_start_matches('/');
        let file = Utf8Path::new(&lava.publish_dir).join(name);
        assert!(file.is_file(), "{file} is published");
        let argument = images[image]["image_arg"].as_str().unwrap();
        words.extend(split(&argument.replace(&format!("{{{image}}}"), file.as_str())));
    }
    words
}

/// Words of a command line, in which double quotes keep blanks, as pexpect splits them.
fn split(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for letter in text.chars() {
        match letter {
            '"' => quoted = !quoted,
            ' ' if !quoted => words.extend(Some(std::mem::take(&mut word)).filter(|word| !word.is_empty())),
            letter => word.push(letter),
        }
    }
    words.extend(Some(word).filter(|word| !word.is_empty()));
    words
}
