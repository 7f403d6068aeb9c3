//! Benchmarks of memory migration, run inside the machine under test.
//!
//! The program speaks like a `kselftest_harness.h` program: `-l` lists its metrics as a table, `-r NAME` runs one and
//! prints KTAP. Before the result line comes one line of raw readings:
//!
//! ```text
//! # samples {"pages":512,"samples":[{"phase":0,"ticks":5476124,"ns":2738062}]}
//! ```
//!
//! A reading counts only when everything the operation was asked for really happened; otherwise the metric fails.

mod abi;
mod area;
mod child;
mod clock;
mod device;
mod list;
mod measure;
mod metric;
mod operations;
mod quiet;
mod report;
mod window;

use std::process::ExitCode;

use metric::Metric;

/// How a program of this kind says that it was called wrongly.
const USAGE: u8 = 4;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["-l"] => {
            print!("{}", list::table(&metric::all()));
            ExitCode::from(USAGE)
        }
        ["-r", name] => match Metric::find(name) {
            Some(metric) => run(&metric),
            None => usage(&format!("no metric is called {name}: -l lists them")),
        },
        _ => usage("call it with -l or with -r DEVICE.OPERATION.MEMORY-SIZE"),
    }
}

fn usage(problem: &str) -> ExitCode {
    eprintln!("hmm-bench: {problem}");
    ExitCode::from(USAGE)
}

fn run(metric: &Metric) -> ExitCode {
    let outcome = quiet::alone().and_then(|()| operations::run(metric));
    print!("{}", report::ktap(metric, &outcome));
    match outcome {
        Ok(_) | Err(measure::Stop::Skip(_)) => ExitCode::SUCCESS,
        Err(measure::Stop::Fail(_)) => ExitCode::FAILURE,
    }
}
