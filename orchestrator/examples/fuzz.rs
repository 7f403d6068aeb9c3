//! Fuzzing without libFuzzer: changes the committed inputs for a given time. `make fuzz` runs it where there is no
//! nightly toolchain.

use std::time::{Duration, Instant};

use orchestrator::fuzz::driver::{Cases, corpus};
use orchestrator::fuzz::{TARGETS, Target};

/// Cases between two looks at the clock.
const BATCH: usize = 64;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(name), Some(seconds), seed) = (arguments.next(), arguments.next(), arguments.next()) else {
        for Target { name, about, .. } in TARGETS {
            println!("{name:10} {about}");
        }
        return Err("usage: fuzz TARGET SECONDS [SEED]".into());
    };
    let target = TARGETS.into_iter().find(|target| target.name == name).ok_or("no such target")?;
    let limit = Duration::from_secs(seconds.parse()?);
    let seed = seed.map_or(Ok(0), |seed| seed.parse())?;
    let inputs = corpus(&target)?.into_iter().map(|(_, input)| input).collect();
    let start = Instant::now();
    let mut done = 0u64;
    let mut cases = Cases::new(inputs, seed);
    while start.elapsed() < limit {
        for case in cases.by_ref().take(BATCH) {
            // Kept until it was good, because a crash may end the program.
            let kept = std::env::temp_dir().join(format!("orchestrator-fuzz-{name}-{seed}"));
            std::fs::write(&kept, &case)?;
            if let Err(panic) = std::panic::catch_unwind(|| (target.run)(&case)) {
                eprintln!("the input is kept in {}", kept.display());
                std::panic::resume_unwind(panic);
            }
            done += 1;
        }
    }
    println!("{name}: {done} cases in {} s, seed {seed}: nothing found", start.elapsed().as_secs());
    Ok(())
}
