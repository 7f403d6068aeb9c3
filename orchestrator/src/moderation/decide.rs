//! Whether a series may run on a machine.

use super::{Approvals, Authors};
use crate::term::text::{truncate, visible};
use crate::words::{Hardware, Machine, Series};

/// How a series came to be tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intake {
    /// Somebody named it on the command line.
    ByHand,
    /// It came by itself: a night follows it.
    ByItself,
}

/// Whether `series` may run on `machine`.
///
/// Guests take everything. Boxes take what a person of this host named from their own disk, what only trusted authors
/// wrote and sent, and what was approved.
///
/// # Errors
/// One sentence: whom nobody vouches for, and what to do.
pub fn may_use_box(
    series: &Series,
    machine: &Machine,
    intake: Intake,
    authors: &Authors,
    approvals: &Approvals,
) -> Result<(), String> {
    match machine.hardware {
        Hardware::Qemu(_) => return Ok(()),
        Hardware::Dut(_) | Hardware::Lava(_) => {}
    }
    // What was taken from an archive is a stranger's, whoever named it.
    let own = intake == Intake::ByHand && series.posting.is_none();
    if own || approvals.of(series).is_some() {
        return Ok(());
    }
    let senders = series.patches.iter().filter_map(|patch| Some(&patch.envelope.as_ref()?.from));
    let mut people = series.patches.iter().map(|patch| &patch.author).chain(senders);
    let stranger = match people.find(|person| !authors.trusts(person)) {
        Some(person) => truncate(&visible(&person.email), 80),
        None if series.patches.is_empty() => "nobody".to_owned(),
        None => return Ok(()),
    };
    Err(format!(
        "{} is a real machine, and {stranger} is not in series/authors.yaml: it waits for `orchestrator approve RUN`, \
         and then for `orchestrator resume RUN`",
        machine.name
    ))
}

#[cfg(test)]
mod tests {
    use super::super::authors::trusting;
    use super::super::fingerprint;
    use super::*;
    use crate::moderation::Approval;
    use crate::words::testing::series;
    use crate::words::{Envelope, Lava, Person, Posting, SecretPlace, Timeouts};

    fn machine(hardware: Hardware) -> Machine {
        Machine { name: "m".into(), tags: [].into(), hardware, timeouts: Timeouts::default() }
    }

    fn real() -> Machine {
        machine(Hardware::Lava(Lava {
            url: "https://lava.example.org".into(),
            device_type: "x".into(),
            token: SecretPlace::default(),
            publish_dir: "/x".into(),
            publish_url: "https://x.example.org".into(),
            template: None,
        }))
    }

    fn posted() -> Series {
        let posting =
            Posting { source: "lore".into(), url: None, versions: vec![], trailers: vec![], rerolled: vec![] };
        Series { posting: Some(posting), ..series("s", &["diff"]) }
    }

    fn approved(series: &Series) -> Approvals {
        let text = String::new;
        let approval =
            Approval { format: 1, at: text(), by: text(), patches: fingerprint(series), title: text(), run: text() };
        Approvals { all: vec![approval] }
    }

    #[test]
    fn strangers_wait_and_nobody_else() {
        let (nobody, friend) = (Authors::default(), trusting(&["a@example.org"]));
        let none = Approvals::default();
        let (local, mail) = (series("s", &["diff"]), posted());
        let may = |series: &Series, intake, authors: &Authors, approvals: &Approvals| {
            may_use_box(series, &real(), intake, authors, approvals).is_ok()
        };
        assert!(may(&local, Intake::ByHand, &nobody, &none));
        assert!(!may(&local, Intake::ByItself, &nobody, &none));
        assert!(!may(&mail, Intake::ByHand, &nobody, &none));
        assert!(!may(&mail, Intake::ByItself, &nobody, &none));
        assert!(may(&mail, Intake::ByItself, &friend, &none));
        assert!(may(&mail, Intake::ByItself, &nobody, &approved(&mail)));
        let mut changed = mail.clone();
        changed.patches[0].diff.push('x');
        assert!(!may(&changed, Intake::ByItself, &nobody, &approved(&mail)));
    }

    #[test]
    fn an_author_line_by_a_stranger_vouches_for_nothing() {
        let mut mail = posted();
        let from = Person { name: "M\u{1b}[2J".into(), email: "mallory\u{1b}[2J@example.org".into() };
        mail.patches[0].envelope = Some(Envelope {
            message_id: String::new(),
            subject: String::new(),
            from,
            to: vec![],
            cc: vec![],
            references: vec![],
            date: None,
        });
        let friend = trusting(&["a@example.org"]);
        let why = may_use_box(&mail, &real(), Intake::ByItself, &friend, &Approvals::default()).unwrap_err();
        assert!(why.contains("mallory") && !why.contains('\u{1b}'), "{why}");
        assert!(why.contains("orchestrator approve"), "{why}");
    }

    #[test]
    fn a_series_without_patches_is_nobodys() {
        let mut empty = posted();
        empty.patches.clear();
        let all = trusting(&["*@example.org"]);
        assert!(may_use_box(&empty, &real(), Intake::ByItself, &all, &Approvals::default()).is_err());
    }

    #[test]
    fn guests_take_everything() {
        let qemu =
            crate::lab::machine(&camino::Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join(".."), "qemu-x86_64").unwrap();
        assert!(may_use_box(&posted(), &qemu, Intake::ByItself, &Authors::default(), &Approvals::default()).is_ok());
    }
}
