//! What Slurm is told and what it says: argument lists and answers.

use super::{Answer, Shape};

/// What a job needs of Slurm.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Demand {
    /// Partition, CPUs, memory and so on.
    pub shape: Shape,
    /// Licence of a box.
    pub license: Option<String>,
    /// The whole node.
    pub exclusive: bool,
}

/// Arguments of `sbatch`; the script comes on standard input.
pub fn sbatch_arguments(name: &str, log: &str, demand: &Demand) -> Vec<String> {
    let shape = &demand.shape;
    let mut arguments: Vec<String> =
        ["--parsable", "--requeue", "--open-mode=append", "--signal=B:TERM@60"].map(str::to_owned).into();
    arguments.extend([format!("--job-name={name}"), format!("--output={log}"), "--chdir=/".to_owned()]);
    arguments.extend([format!("-c{}", shape.cpus), format!("--mem={}M", shape.memory), format!("-t{}", shape.minutes)]);
    let optional = [("--partition", &shape.partition), ("--constraint", &shape.constraint), ("--gres", &shape.gres)];
    arguments.extend(optional.into_iter().filter_map(|(flag, value)| Some(format!("{flag}={}", value.as_ref()?))));
    arguments.extend(demand.license.iter().map(|license| format!("--licenses={license}:1")));
    arguments.extend(demand.exclusive.then(|| "--exclusive".to_owned()));
    arguments
}

/// What became of a submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Submitted {
    /// Accepted under this number; not for certain kept.
    Job(String),
    /// Never to be accepted.
    Refused(String),
    /// Nobody knows: the queue has to be looked at.
    Unclear(String),
}

/// Words of `sbatch` about trouble that passes by itself.
const PASSING: [&str; 7] = [
    "unable to contact",
    "socket timed out",
    "connection refused",
    "connection reset",
    "communication",
    "temporarily",
    "slurm backup controller",
];

/// Reads the answer of `sbatch --parsable`: `NUMBER` or `NUMBER;CLUSTER`.
pub fn submitted(answer: &Answer) -> Submitted {
    let said = answer.err.trim().lines().last().unwrap_or_default().trim_start_matches("sbatch: ").to_owned();
    match answer.code {
        Some(0) => {
            let id = answer.out.trim().split(';').next().unwrap_or_default();
            match !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()) {
                true => Submitted::Job(id.to_owned()),
                false => Submitted::Unclear(format!("sbatch said {:?}", answer.out.trim())),
            }
        }
        None => Submitted::Unclear(said),
        Some(_) => {
            let low = answer.err.to_lowercase();
            match PASSING.iter().any(|words| low.contains(words)) {
                true => Submitted::Unclear(said),
                false => Submitted::Refused(said),
            }
        }
    }
}

/// A line of the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Job number.
    pub id: String,
    /// Job name: `<run>/<unit>`.
    pub name: String,
    /// `PENDING`, `RUNNING`, ...
    pub state: String,
    /// Why it is in that state.
    pub reason: String,
}

/// Arguments of `squeue` whose answer [`squeue_rows`] reads: the jobs of this user.
pub(super) fn squeue_arguments() -> Vec<String> {
    ["-h", "--me", "-o", "%i|%j|%T|%r"].map(str::to_owned).into()
}

/// Reads the queue.
///
/// # Errors
/// When there was no whole answer; one sentence.
pub fn squeue_rows(answer: &Answer) -> Result<Vec<Row>, String> {
    if answer.code != Some(0) {
        let said = answer.err.trim().lines().last().unwrap_or("squeue failed without a word");
        return Err(said.trim_start_matches("squeue: ").to_owned());
    }
    let row = |line: &str| {
        let mut words = line.split('|').map(str::to_owned);
        let row = Row { id: words.next()?, name: words.next()?, state: words.next()?, reason: words.next()? };
        (!row.state.is_empty()).then_some(row)
    };
    let lines = answer.out.lines().filter(|line| !line.trim().is_empty());
    lines.map(|line| row(line.trim()).ok_or_else(|| format!("squeue said {line:?}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(code: Option<i32>, out: &str, err: &str) -> Answer {
        Answer { code, out: out.into(), err: err.into() }
    }

    #[test]
    fn a_job_of_a_box_is_told_with_its_licence() {
        let shape = Shape {
            partition: Some("lab".into()),
            constraint: Some("qemu&hmm".into()),
            gres: Some("kvm:1".into()),
            cpus: 2,
            memory: 1500,
            minutes: 60,
        };
        let demand = Demand { shape, license: Some("dut-xe".into()), exclusive: true };
        insta::assert_snapshot!(sbatch_arguments("r/boot/t/base/hmm", "/c/%j.out", &demand).join("\n"), @r"
        --parsable
        --requeue
        --open-mode=append
        --signal=B:TERM@60
        --job-name=r/boot/t/base/hmm
        --output=/c/%j.out
        --chdir=/
        -c2
        --mem=1500M
        -t60
        --partition=lab
        --constraint=qemu&hmm
        --gres=kvm:1
        --licenses=dut-xe:1
        --exclusive
        ");
    }

    #[test]
    fn a_submission_is_accepted_refused_or_unclear() {
        let cases = [
            (answer(Some(0), "17\n", ""), Submitted::Job("17".into())),
            (answer(Some(0), "17;cluster\n", ""), Submitted::Job("17".into())),
            (answer(Some(0), "", ""), Submitted::Unclear("sbatch said \"\"".into())),
            (
                answer(Some(1), "", "sbatch: error: Batch job submission failed: Invalid feature specification\n"),
                Submitted::Refused("error: Batch job submission failed: Invalid feature specification".into()),
            ),
            (
                answer(Some(1), "", "sbatch: error: Unable to contact slurm controller (connect failure)\n"),
                Submitted::Unclear("error: Unable to contact slurm controller (connect failure)".into()),
            ),
            (
                answer(None, "", "sbatch did not answer in time"),
                Submitted::Unclear("sbatch did not answer in time".into()),
            ),
        ];
        for (said, meant) in cases {
            assert_eq!(submitted(&said), meant);
        }
    }

    #[test]
    fn a_queue_is_read_whole_or_not_at_all() {
        let rows = squeue_rows(&answer(Some(0), "7|r/build/t/p1/hmm|RUNNING|None\n\n", "")).unwrap();
        assert_eq!((rows[0].id.as_str(), rows[0].name.as_str()), ("7", "r/build/t/p1/hmm"));
        assert_eq!(squeue_rows(&answer(Some(0), "", "")).unwrap(), []);
        assert!(squeue_rows(&answer(Some(0), "7|r/build", "")).is_err(), "cut off");
        assert!(squeue_rows(&answer(Some(1), "", "slurm_load_jobs error: Unable to contact")).is_err());
    }
}
