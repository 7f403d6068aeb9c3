//! From a console to its reports.

use std::collections::HashMap;

use super::body::is_ruler;
use super::header::{Header, header};
use super::line::{Marker, marker, message};
use super::open::{Fed, Open};
use crate::words::{Splat, SplatKind};

/// Reports kept of one boot.
const SPLAT_LIMIT: usize = 256;
/// Reports of the same signature kept of one boot.
const SAME_LIMIT: usize = 16;
/// Beyond [`SPLAT_LIMIT`], so many more of the kinds that end a boot: a flood must not hide what killed the guest.
const FATAL_LIMIT: usize = 32;
/// Reports of one boot that are looked at; the rest is only counted.
const READ_LIMIT: usize = 10_000;
/// Lines kept after a ruler or `cut here` until the report's first line must have come.
const BEFORE_LIMIT: usize = 40;
/// Lines between a report and the panic that follows from it.
const PANIC_DISTANCE: usize = 120;

/// What a console says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Log {
    /// Reports in the order they came, bounded.
    pub splats: Vec<Splat>,
    /// Reports that were read but not kept.
    pub dropped: usize,
    /// The agent's markers, in order.
    pub markers: Vec<Marker>,
    /// Lines of the console.
    pub lines: usize,
}

/// The reports of a console. See [`read`].
pub fn scan(console: &str) -> Vec<Splat> {
    read(console).splats
}

/// Reads a whole console: reports and markers.
///
/// A report belongs to the test whose marker came last when it began. A panic that only follows from a report (fatal
/// exception, `panic_on_warn`) is the end of that report, not a second one. Linear in the console's size; what is kept
/// is bounded.
pub fn read(console: &str) -> Log {
    let mut scanner = Scanner::default();
    for line in console.split('\n') {
        scanner.log.lines += 1;
        for part in line.split('\r') {
            scanner.feed(message(part));
        }
    }
    scanner.finish()
}

#[derive(Default)]
struct Scanner {
    log: Log,
    test: Option<String>,
    current: Option<Open>,
    /// The report before, in case a panic follows from it.
    previous: Option<Open>,
    /// Line of the ruler or `cut here`, the test at that time, and the lines from there on.
    before: Option<(usize, Option<String>, Vec<String>)>,
    counts: HashMap<String, usize>,
    fatal: usize,
    /// Reports that were looked at.
    read: usize,
}

impl Scanner {
    fn feed(&mut self, message: &str) {
        if message.starts_with("orchestrator: ")
            && let Some(marker) = marker(message)
        {
            self.marker(marker);
            return;
        }
        if let Some(header) = header(message) {
            self.header(header, message);
            return;
        }
        let starts = is_ruler(message) || message.starts_with("------------[ cut here ]");
        let line = self.log.lines;
        if let Some(open) = &mut self.current {
            let cut = message.starts_with("------------[ cut here ]");
            match if cut { Fed::EndedBefore } else { open.feed(message, line) } {
                Fed::Goes => return,
                Fed::Ended => {
                    self.end();
                    return;
                }
                Fed::EndedBefore => self.end(),
            }
        }
        if starts {
            self.before = Some((line, self.test.clone(), vec![message.to_owned()]));
        } else if let Some((_, _, lines)) = &mut self.before {
            lines.push(message.to_owned());
            if lines.len() > BEFORE_LIMIT {
                self.before = None;
            }
        }
    }

    fn header(&mut self, header: Header, message: &str) {
        let line = self.log.lines;
        if let Some(open) = &mut self.current
            && open.continues_with(&header)
        {
            open.feed(message, line);
            return;
        }
        if header.kind == SplatKind::Panic {
            self.end();
            match self.previous.take() {
                Some(mut open) if line - open.last <= PANIC_DISTANCE && follows(message, open.kind()) => {
                    open.take_panic(message, line);
                    self.current = Some(open);
                    self.before = None;
                    return;
                }
                Some(open) => self.keep(open),
                None => {}
            }
        }
        self.end();
        let (start, test, before) = self.before.take().unwrap_or_else(|| (line, self.test.clone(), Vec::new()));
        self.current = Some(Open::new(header, message, start, line, test, &before));
    }

    fn marker(&mut self, marker: Marker) {
        if self.current.as_ref().is_some_and(Open::ends_at_marker) {
            self.end();
        }
        self.test = match &marker {
            Marker::Begin { test, .. } => Some(test.clone()),
            Marker::End { .. } => None,
        };
        // A flood of forged markers is of no use to anybody.
        if self.log.markers.len() < 100_000 {
            self.log.markers.push(marker);
        }
    }

    /// The current report has ended; it may still turn out to be the cause of a panic.
    fn end(&mut self) {
        if let Some(open) = self.current.take()
            && let Some(earlier) = self.previous.replace(open)
        {
            self.keep(earlier);
        }
    }

    fn keep(&mut self, open: Open) {
        let fatal = matches!(open.kind(), SplatKind::Panic | SplatKind::Oops | SplatKind::Bug);
        self.read += 1;
        if self.read > READ_LIMIT && !(fatal && self.fatal < FATAL_LIMIT) {
            self.log.dropped += 1;
            return;
        }
        let splat = open.close();
        let count = self.counts.entry(splat.signature.clone()).or_default();
        *count += 1;
        let room = self.log.splats.len() < SPLAT_LIMIT || (fatal && self.fatal < FATAL_LIMIT);
        if *count > SAME_LIMIT || !room {
            self.log.dropped += 1;
            return;
        }
        if self.log.splats.len() >= SPLAT_LIMIT {
            self.fatal += 1;
        }
        self.log.splats.push(splat);
    }

    fn finish(mut self) -> Log {
        self.end();
        if let Some(open) = self.previous.take() {
            self.keep(open);
        }
        self.log
    }
}

/// True when a panic with these words follows from a report of this kind.
fn follows(message: &str, kind: SplatKind) -> bool {
    let Some(words) = message.strip_prefix("Kernel panic - not syncing: ") else {
        return false;
    };
    let fault = matches!(kind, SplatKind::Oops | SplatKind::Bug);
    let dying = ["Fatal exception", "Aiee, killing interrupt", "Attempted to kill", "BUG!", "Oops"];
    let sanitizer = matches!(kind, SplatKind::Kasan | SplatKind::Sanitizer | SplatKind::Warning);
    words.contains("panic_on_warn")
        || (fault && dying.iter().any(|start| words.starts_with(start)))
        || (sanitizer && words.contains("fault=panic"))
        || (kind == SplatKind::HungTask && words.starts_with("hung_task"))
        || (kind == SplatKind::Lockup
            && ["softlockup", "Hard LOCKUP", "RCU Stall", "hung tasks"].iter().any(|text| words.contains(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_follows_from_what_it_speaks_of() {
        use SplatKind::*;
        let all = [Warning, Bug, Oops, Panic, Kasan, Sanitizer, Lockdep, Atomic, HungTask, Lockup, BadPage, Leak];
        let table: [(&str, &[SplatKind]); 13] = [
            ("Fatal exception", &[Bug, Oops]),
            ("Fatal exception in interrupt", &[Bug, Oops]),
            ("Aiee, killing interrupt handler!", &[Bug, Oops]),
            ("Attempted to kill init! exitcode=0x00000009", &[Bug, Oops]),
            ("BUG!", &[Bug, Oops]),
            ("kasan.fault=panic set ...", &[Warning, Kasan, Sanitizer]),
            ("hung_task: blocked tasks", &[HungTask]),
            ("softlockup: hung tasks", &[Lockup]),
            ("Hard LOCKUP", &[Lockup]),
            ("RCU Stall", &[Lockup]),
            ("kernel: panic_on_warn set ...", &all),
            ("dmirror: the device is gone", &[]),
            ("VFS: Unable to mount root fs on unknown-block(0,0)", &[]),
        ];
        for (words, kinds) in table {
            let message = format!("Kernel panic - not syncing: {words}");
            for kind in all {
                assert_eq!(follows(&message, kind), kinds.contains(&kind), "{words} after {kind:?}");
            }
            assert!(!follows(words, Oops), "it is no panic without its first words");
        }
    }

    fn rss(number: usize) -> String {
        format!("BUG: Bad rss-counter state mm:0 type:kind{}x val:1\n", "a".repeat(number))
    }

    #[test]
    fn so_many_reports_are_kept_of_one_signature_and_of_a_boot() {
        let same = read(&rss(1).repeat(SAME_LIMIT));
        assert_eq!((same.splats.len(), same.dropped), (SAME_LIMIT, 0));
        let more = read(&rss(1).repeat(SAME_LIMIT + 3));
        assert_eq!((more.splats.len(), more.dropped), (SAME_LIMIT, 3));
        let distinct = |count: usize| (0..count).map(rss).collect::<String>();
        let full = read(&distinct(SPLAT_LIMIT));
        assert_eq!((full.splats.len(), full.dropped), (SPLAT_LIMIT, 0));
        let beyond = read(&distinct(SPLAT_LIMIT + 2));
        assert_eq!((beyond.splats.len(), beyond.dropped), (SPLAT_LIMIT, 2));
    }

    #[test]
    fn so_many_deaths_are_kept_after_a_flood() {
        let flood: String = (0..SPLAT_LIMIT).map(rss).collect();
        let deaths = |count: usize| -> String {
            let death = |n: usize| {
                format!("kernel BUG at mm/{}.c:1!\nRIP: 0010:f+0x1/0x2\n---[ end trace 0 ]---\n", "a".repeat(n + 1))
            };
            (0..count).map(death).collect()
        };
        let all = read(&format!("{flood}{}", deaths(FATAL_LIMIT)));
        assert_eq!((all.splats.len(), all.dropped), (SPLAT_LIMIT + FATAL_LIMIT, 0));
        let more = read(&format!("{flood}{}", deaths(FATAL_LIMIT + 2)));
        assert_eq!((more.splats.len(), more.dropped), (SPLAT_LIMIT + FATAL_LIMIT, 2));
        // Warnings do not use up the room of the deaths.
        let warned = read(&format!("{flood}{}{}", rss(SPLAT_LIMIT).repeat(40), deaths(FATAL_LIMIT)));
        assert_eq!((warned.splats.len(), warned.dropped), (SPLAT_LIMIT + FATAL_LIMIT, 40));
    }

    #[test]
    fn beyond_so_many_only_deaths_are_read() {
        let console = format!("{}{}kernel BUG at mm/a.c:1!\n", rss(1).repeat(READ_LIMIT), rss(2));
        let log = read(&console);
        assert_eq!((log.splats.len(), log.dropped), (SAME_LIMIT + 1, READ_LIMIT - SAME_LIMIT + 1));
        assert_eq!(log.splats.last().unwrap().kind, SplatKind::Bug);
        let read_still = read(&format!("{}{}", rss(1).repeat(READ_LIMIT - 1), rss(2)));
        assert_eq!(read_still.splats.len(), SAME_LIMIT + 1);
    }

    #[test]
    fn a_ruler_belongs_to_a_report_that_comes_soon() {
        let after = |lines: usize| {
            let console = format!("{}\n{}BUG: KASAN: x in f+0x1/0x2\n", "=".repeat(40), "something\n".repeat(lines));
            read(&console).splats[0].line
        };
        assert_eq!(after(0), 1);
        assert_eq!(after(BEFORE_LIMIT - 1), 1);
        assert_eq!(after(BEFORE_LIMIT), BEFORE_LIMIT + 2);
    }

    #[test]
    fn a_panic_far_behind_an_oops_is_its_own() {
        let reports = |lines: usize| {
            let console = format!(
                "BUG: kernel NULL pointer dereference, address: 0\n---[ end trace 0 ]---\n{}Kernel panic - not syncing: Fatal exception\n",
                "quiet\n".repeat(lines)
            );
            read(&console).splats.len()
        };
        assert_eq!((reports(0), reports(PANIC_DISTANCE - 1), reports(PANIC_DISTANCE)), (1, 1, 2));
    }
}
