use camino::{Utf8Path, Utf8PathBuf};

use super::*;
use crate::post::outbox::{By, Record, State, system_clock};
use crate::post::testing::{lists, posted, series};
use crate::report::fixtures;

struct Bench {
    _keep: tempfile::TempDir,
    outbox: Outbox,
}

impl Bench {
    fn new() -> Bench {
        let keep = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(keep.path().to_owned()).unwrap();
        Bench { outbox: Outbox::of(Utf8Path::new(&path)), _keep: keep }
    }

    fn plan(&self, report: &Report) -> Plan {
        let (series, lists) = (series(), lists());
        let request =
            Request { report, series: &series, lists: &lists, posted: None, to: &[], cc: &[], now: 1_775_040_000 };
        plan(&request, &self.outbox).unwrap()
    }

    /// Sends what is new; the mail's text when there was anything to send.
    fn send(&self, report: &Report) -> Option<String> {
        let plan = self.plan(report);
        let Decision::Say { id, .. } = &plan.decision else { return None };
        let locked = self.outbox.lock(system_clock()).unwrap();
        let (draft, state, why) = plan.draft("run");
        locked.put(id.clone(), draft, state, By::Program, &why).unwrap();
        for state in [State::Sending, State::Sent] {
            locked.record(id, Record::new(0, state, By::Program, "")).unwrap();
        }
        Some(crate::post::show::mail(&plan.message))
    }
}

fn broken() -> Report {
    let mut report = posted(fixtures::findings());
    report.findings.retain(|finding| finding.kconfig.as_deref() == Some("no-hmm-mirror"));
    report.findings.iter_mut().for_each(|finding| finding.tree = "mm-unstable".into());
    report
}

#[test]
fn one_mail_per_change() {
    let bench = Bench::new();
    let clean = posted(fixtures::clean());
    assert!(bench.send(&clean).is_some());
    assert!(bench.send(&clean).is_none());
    // A further kconfig on which nothing is found is no news, nor are measured values, times and notices.
    let mut more = clean.clone();
    more.kconfigs.push(more.kconfigs[0].clone());
    more.kconfigs[2].name = "hmm-kasan".into();
    more.headline = "Other words.".into();
    assert!(bench.send(&more).is_none());
    // Findings are, once, whatever their numbers.
    let mut broken = broken();
    let first = bench.send(&broken).unwrap();
    assert!(first.contains("[1 of 1] BUILD-FAILED"), "{first}");
    broken.findings[0].summary = "mm/migrate_device.c:513: the same, a line further down.".into();
    assert!(bench.send(&broken).is_none());
    // Gone again: that is told, with the report that it takes the place of.
    let gone = bench.send(&clean).unwrap();
    assert!(gone.contains("This takes the place of the earlier report"), "{gone}");
    // And once more broken: a change again.
    assert!(bench.send(&broken).is_some());
}

#[test]
fn a_narrow_run_takes_nothing_back() {
    let bench = Bench::new();
    let broken = broken();
    bench.send(&broken).unwrap();
    let mut narrow = posted(fixtures::clean());
    narrow.kconfigs.retain(|kconfig| kconfig.name == "hmm");
    assert!(bench.send(&narrow).is_none(), "the kconfig that does not build was not looked at");
    // Another tree is no news by itself, nor is the same finding there.
    narrow.trees[0].name = "mainline".into();
    assert!(bench.send(&narrow).is_none());
    let mut again = broken.clone();
    again.trees[0].name = "mainline".into();
    again.findings.iter_mut().for_each(|finding| finding.tree = "mainline".into());
    assert!(bench.send(&again).is_none());
    // Another finding is, wherever it is; the old one is said to stand.
    again.kconfigs.retain(|kconfig| kconfig.name == "hmm");
    again.findings[0].kconfig = Some("hmm".into());
    let told = bench.send(&again).unwrap();
    assert!(told.contains("1 finding of the earlier report on this version stand"), "{told}");
}

#[test]
fn without_a_sender_it_is_shown_all_the_same() {
    let bench = Bench::new();
    let (report, series) = (posted(fixtures::clean()), series());
    let lists = Lists { sender: None, ..lists() };
    let request = Request { report: &report, series: &series, lists: &lists, posted: None, to: &[], cc: &[], now: 0 };
    let plan = plan(&request, &bench.outbox).unwrap();
    assert!(!plan.has_sender && plan.message.text.contains("nobody@sender.invalid"));
}

#[test]
fn a_policy_can_want_it_approved() {
    let bench = Bench::new();
    let (report, series, mut lists) = (posted(fixtures::clean()), series(), lists());
    lists.lists.get_mut("linux-mm@kvack.org").unwrap().moderation = true;
    let to = ["somebody@example.org".to_owned()];
    let mut request =
        Request { report: &report, series: &series, lists: &lists, posted: None, to: &[], cc: &[], now: 0 };
    assert_eq!(plan(&request, &bench.outbox).unwrap().draft("run").1, State::PendingModeration);
    // Named by a person, and no list: it goes as it is.
    request.to = &to;
    assert_eq!(plan(&request, &bench.outbox).unwrap().draft("run").1, State::Ready);
}
