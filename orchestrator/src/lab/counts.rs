//! The plugin's file: instructions per function, for each reading.
//!
//! The plugin writes the lines, but the guest decides which windows there are: every line is checked on its own, and
//! what is not as it should be is left out with a reason.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::copying::copies;
use super::symbols::INLINED_IN;
use crate::term::text::{truncate, visible};
use crate::words::{FunctionCount, MetricSamples, Sample};

/// Format of the file.
const FORMAT: u32 = 1;
/// Most bytes that the plugin writes, and some.
const MAX_BYTES: usize = 300 << 20;
/// Most functions of one window.
const MAX_FUNCTIONS: usize = 100_000;
/// Reasons that are kept.
const MAX_REJECTED: usize = 20;
/// Instructions that may lie between the clock's readings and the window's marks.
const EDGES: u64 = 1_000;
/// A reading counts at most this part more than the clock says: blocks left early count whole.
const EXCESS: f64 = 0.01;

/// What one window counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// All instructions.
    pub total: u64,
    /// Instructions of each function, as the symbol table calls it.
    pub functions: BTreeMap<String, u64>,
}

impl Window {
    /// Instructions of functions that copy or clear memory. What is inlined in one of them is a part of it, and what is
    /// inlined elsewhere is a part of something else: the sum is the same with and without debug information.
    pub fn copy(&self) -> u64 {
        self.functions.iter().filter(|(name, _)| copies(split(name).1)).map(|(_, count)| *count).sum()
    }
}

/// A file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Windows by the hash of the metric's name and the phase.
    pub windows: BTreeMap<(u32, u32), Window>,
    /// Virtual CPUs of the guest; with more than one the counts are not exact.
    pub vcpus: u32,
    /// Whether the plugin saw the guest's end.
    pub complete: bool,
    /// What was left out, and why; the first ones.
    pub rejected: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    format: u32,
    #[serde(rename = "api")]
    _api: u32,
    vcpus: u32,
}

#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Line {
    Window { metric: u32, phase: u8, total: u64, functions: Vec<(String, u64)> },
    End { end: String, windows: u64, abandoned: u64, unopened: u64 },
}

impl Counts {
    /// Reads a file.
    ///
    /// # Errors
    /// When it is not one: one line.
    pub fn read(bytes: &[u8]) -> Result<Counts, String> {
        if bytes.len() > MAX_BYTES {
            return Err("it is larger than the plugin would write".to_owned());
        }
        let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
        let mut lines = text.split_inclusive('\n').enumerate();
        let (_, first) = lines.next().ok_or("it is empty; the plugin was not loaded")?;
        let header: Header = serde_json::from_str(first)
            .map_err(|error| format!("line 1: {}", truncate(&visible(&error.to_string()), 200)))?;
        if header.format != FORMAT {
            return Err(format!("line 1: format {} is not known, only {FORMAT}", header.format));
        }
        let mut counts = Counts { vcpus: header.vcpus, ..Counts::default() };
        let mut twice = BTreeSet::new();
        for (number, line) in lines {
            let reason = match parse(line) {
                _ if counts.complete => "after the end".to_owned(),
                Err(reason) => reason,
                Ok(Line::End { end, windows, abandoned, unopened }) => {
                    counts.complete = end.is_empty();
                    let lost = [
                        (abandoned > 0).then(|| format!("{abandoned} windows were opened and not closed")),
                        (unopened > 0).then(|| format!("{unopened} windows were closed and not opened")),
                        (!end.is_empty()).then(|| format!("{end} ({windows})")),
                    ];
                    for what in lost.into_iter().flatten() {
                        counts.reject(number, &what);
                    }
                    continue;
                }
                Ok(Line::Window { metric, phase, total, functions }) => {
                    let key = (metric, u32::from(phase));
                    let window = Window { total, functions: functions.into_iter().collect() };
                    if !twice.contains(&key) && counts.windows.insert(key, window).is_none() {
                        continue;
                    }
                    // Which one is the reading's? Nobody can say.
                    counts.windows.remove(&key);
                    twice.insert(key);
                    format!("metric {metric:#010x}, phase {phase}: more than one window")
                }
            };
            counts.reject(number, &reason);
        }
        Ok(counts)
    }

    fn reject(&mut self, number: usize, reason: &str) {
        if self.rejected.len() < MAX_REJECTED {
            self.rejected.push(format!("line {}: {}", number + 1, truncate(&visible(reason), 200)));
        }
    }

    /// Fills in what the readings' instructions were spent on. Returns what is wrong, one sentence for each metric.
    ///
    /// The readings are those of a guest on the instruction clock. A reading whose window is missing, or says more
    /// than the clock does, keeps `copy: None`.
    pub fn attach(&self, metrics: &mut [MetricSamples]) -> Vec<String> {
        let mut problems = Vec::new();
        let mut names: BTreeMap<u32, String> = BTreeMap::new();
        for samples in metrics {
            let hash = metric_hash(&samples.metric);
            if let Some(other) = names.insert(hash, samples.metric.clone()) {
                problems.push(format!("{}: its name hashes like that of {other}", samples.metric));
                continue;
            }
            let mut wrong: Vec<String> = Vec::new();
            let mut windows: Vec<&Window> = Vec::new();
            for sample in &mut samples.samples {
                match self.window(hash, sample) {
                    Ok(window) => {
                        sample.copy = Some(window.copy());
                        windows.push(window);
                    }
                    Err(reason) => wrong.push(format!("phase {}: {reason}", sample.phase)),
                }
            }
            samples.functions = together(&windows);
            if let Some(first) = wrong.first() {
                let (count, readings) = (wrong.len(), samples.samples.len());
                problems.push(format!("{}: {count} of {readings} readings without counts ({first})", samples.metric));
            }
        }
        problems
    }

    fn window(&self, metric: u32, sample: &Sample) -> Result<&Window, String> {
        let window = self.windows.get(&(metric, sample.phase)).ok_or("no window")?;
        let most = sample.value as f64 * (1.0 + EXCESS) + EDGES as f64;
        if window.total as f64 > most || window.copy() > sample.value {
            let Sample { value, .. } = sample;
            return Err(format!("{} instructions were counted, the clock says {value}", window.total));
        }
        Ok(window)
    }
}

fn parse(line: &str) -> Result<Line, String> {
    let line = line.strip_suffix('\n').ok_or("cut off")?;
    let parsed: Line = serde_json::from_str(line).map_err(|_| "not a line of the plugin's".to_owned())?;
    if let Line::Window { total, functions, .. } = &parsed {
        let sum = functions.iter().try_fold(0u64, |sum, (_, count)| sum.checked_add(*count));
        let names: BTreeSet<&str> = functions.iter().map(|(name, _)| name.as_str()).collect();
        if functions.len() > MAX_FUNCTIONS || names.len() != functions.len() || sum != Some(*total) {
            return Err("its functions do not add up".to_owned());
        }
        if names.iter().any(|name| name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic())) {
            return Err("not the name of a function".to_owned());
        }
    }
    Ok(parsed)
}

/// Hash of a metric's name, without the suite's before the first dot (FNV-1a, 32 bits): what the guest calls it.
pub fn metric_hash(metric: &str) -> u32 {
    let name = metric.split_once('.').map_or(metric, |(_, name)| name);
    name.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// A name of the symbol table: the inlined function if it is one, and the function whose code it is.
fn split(name: &str) -> (Option<&str>, &str) {
    match name.split_once(INLINED_IN) {
        Some((inlined, outer)) => (Some(inlined), outer),
        None => (None, name),
    }
}

/// The counts of several readings as one, largest first.
fn together(windows: &[&Window]) -> Vec<FunctionCount> {
    let names: BTreeSet<&String> = windows.iter().flat_map(|window| window.functions.keys()).collect();
    let count = |name: &String| {
        let each = || windows.iter().map(|window| window.functions.get(name).copied().unwrap_or(0));
        let (inlined, outer) = split(name);
        FunctionCount {
            function: inlined.unwrap_or(outer).to_owned(),
            inlined_in: inlined.map(|_| outer.to_owned()),
            instructions: each().sum(),
            least: each().min().unwrap_or(0),
            most: each().max().unwrap_or(0),
        }
    };
    let mut counts: Vec<FunctionCount> = names.into_iter().map(count).collect();
    // Names of one count stay in their order.
    counts.sort_by_key(|count| std::cmp::Reverse(count.instructions));
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "{\"format\":1,\"api\":1,\"vcpus\":1}\n";
    const END: &str = "{\"end\":\"\",\"windows\":2,\"abandoned\":0,\"unopened\":0}\n";

    fn line(metric: u32, phase: u32, functions: &[(&str, u64)]) -> String {
        let total: u64 = functions.iter().map(|(_, count)| count).sum();
        let functions = serde_json::to_string(functions).unwrap();
        format!("{{\"metric\":{metric},\"phase\":{phase},\"total\":{total},\"functions\":{functions}}}\n")
    }

    fn samples(metric: &str, values: &[u64]) -> MetricSamples {
        let sample = |(phase, value): (usize, &u64)| Sample { phase: phase as u32, value: *value, copy: None };
        MetricSamples {
            metric: metric.into(),
            pages: 1,
            samples: values.iter().enumerate().map(sample).collect(),
            functions: Vec::new(),
        }
    }

    #[test]
    fn the_hash_is_the_guests() {
        // Reference values of FNV-1a.
        assert_eq!(metric_hash("hmm-bench.a"), 0xe40c_292c);
        assert_eq!(metric_hash("suite.foobar"), 0xbf9c_f968);
    }

    #[test]
    fn counts_go_to_their_readings() {
        let name = "hmm-bench.private.to-device.present-2M";
        let hash = metric_hash(name);
        let file = [
            HEADER,
            &line(hash, 0, &[("copy_page", 600), ("collect", 300), ("(user)", 100)]),
            &line(hash, 1, &[("copy_page", 600), ("collect", 300), ("tick", 50)]),
            &line(7, 0, &[("collect", 1)]),
            END,
        ];
        let counts = Counts::read(file.concat().as_bytes()).unwrap();
        assert!(counts.complete && counts.rejected.is_empty());
        let mut metrics = [samples(name, &[1000, 950])];
        assert_eq!(counts.attach(&mut metrics), Vec::<String>::new());
        let copies: Vec<_> = metrics[0].samples.iter().map(|sample| sample.copy).collect();
        assert_eq!(copies, [Some(600), Some(600)]);
        let functions: Vec<_> =
            metrics[0].functions.iter().map(|f| (f.function.as_str(), f.instructions, f.least, f.most)).collect();
        let expected =
            [("copy_page", 1200, 600, 600), ("collect", 600, 300, 300), ("(user)", 100, 0, 100), ("tick", 50, 0, 50)];
        assert_eq!(functions, expected);
    }

    #[test]
    fn readings_without_a_window_of_their_own_have_no_counts() {
        let name = "b.m";
        let hash = metric_hash(name);
        let file = [
            HEADER,
            &line(hash, 0, &[("collect", 1_000_000)]),
            &line(hash, 1, &[("collect", 10)]),
            &line(hash, 1, &[("collect", 10)]),
            &line(hash, 1, &[("collect", 10)]),
            &line(hash, 2, &[("copy_page", 900)]),
            END,
        ];
        let counts = Counts::read(file.concat().as_bytes()).unwrap();
        assert_eq!(counts.rejected.len(), 2, "{:?}", counts.rejected);
        let mut metrics = [samples(name, &[10_000, 10, 10, 10])];
        let problems = counts.attach(&mut metrics);
        assert_eq!(
            problems,
            ["b.m: 4 of 4 readings without counts (phase 0: 1000000 instructions were counted, the clock says 10000)"]
        );
        assert!(metrics[0].samples.iter().all(|sample| sample.copy.is_none()) && metrics[0].functions.is_empty());
    }

    #[test]
    fn a_guest_that_waits_has_counts() {
        let file = [HEADER, &line(metric_hash("b.m"), 0, &[("collect", 10)]), END].concat();
        let mut metrics = [samples("b.m", &[1_000_000])];
        assert!(Counts::read(file.as_bytes()).unwrap().attach(&mut metrics).is_empty());
        assert_eq!(metrics[0].samples[0].copy, Some(0));
    }

    #[test]
    fn lines_that_cannot_be_are_left_out() {
        let good = line(1, 1, &[("a", 1)]);
        let cases = [
            ("garbage\n", "line 3: not a line of the plugin's"),
            (&*line(1, 256, &[("a", 1)]), "line 3: not a line of the plugin's"),
            (&*line(2, 0, &[("a", 1), ("a", 2)]), "line 3: its functions do not add up"),
            (&*line(2, 0, &[("a b", 1)]), "line 3: not the name of a function"),
            (
                "{\"metric\":2,\"phase\":0,\"total\":3,\"functions\":[[\"a\",2]]}\n",
                "line 3: its functions do not add up",
            ),
            ("{\"metric\":2,\"phase\":0,\"total\":3,\"functions\":[[\"a\",", "line 3: cut off"),
            (END.trim_end(), "line 3: cut off"),
            (
                "{\"end\":\"\",\"windows\":1,\"abandoned\":2,\"unopened\":0}\n",
                "line 3: 2 windows were opened and not closed",
            ),
            (&*good, "line 3: metric 0x00000001, phase 1: more than one window"),
        ];
        for (bad, reason) in cases {
            let counts = Counts::read(format!("{HEADER}{good}{bad}").as_bytes()).unwrap();
            assert_eq!(counts.rejected, [reason]);
            assert_eq!(counts.windows.len(), usize::from(bad != good));
        }
    }

    #[test]
    fn files_that_are_none() {
        assert!(Counts::read(b"").unwrap_err().contains("not loaded"));
        assert!(Counts::read(b"{\"format\":2,\"api\":1,\"vcpus\":1}\n").unwrap_err().contains("format 2"));
        assert!(Counts::read(b"\xff").is_err());
        // A guest that was killed leaves a file without an end.
        assert!(!Counts::read(HEADER.as_bytes()).unwrap().complete);
    }
}
