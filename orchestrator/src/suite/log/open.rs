//! A report that is being read.

use super::body::{
    is_body, is_carrier, is_plumbing, is_program_counter, is_ruler, is_trace_start, lock_at, object_user,
    program_counter, stack_entry, work,
};
use super::header::{End, Header};
use super::line::bounded;
use super::signature::{signature, source_name};
use crate::words::{Splat, SplatKind};

/// Lines of text kept of one report.
pub(super) const TEXT_LINES: usize = 160;
/// Bytes of text kept of one report.
pub(super) const TEXT_BYTES: usize = 16 * 1024;
/// Lines after which a report without an end counts as ended.
const LINE_LIMIT: usize = 400;
/// Lines that do not look like a report in a row, after which one that ends with its trace has ended.
const FOREIGN_LIMIT: usize = 3;
/// Lines that may stand between the first line and the stack trace. lockdep explains itself at length.
const BEFORE_TRACE: usize = 40;
const BEFORE_TRACE_LOCKDEP: usize = 200;
/// Bytes of a title.
const TITLE_BYTES: usize = 300;

/// Whether a report goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fed {
    /// The line belongs to it, and more may come.
    Goes,
    /// The line was its last.
    Ended,
    /// It ended before this line.
    EndedBefore,
}

/// A report that is being read, or has been.
#[derive(Debug, Clone)]
pub(super) struct Open {
    header: Header,
    title: String,
    /// Line of the console where it starts, from 1.
    pub start: usize,
    /// Line of the console that was read last.
    pub last: usize,
    pub test: Option<String>,
    text: String,
    kept: usize,
    lines: usize,
    traced: bool,
    counter: Option<String>,
    /// A program counter was seen, of whatever function.
    counted: bool,
    entry: Option<String>,
    /// Where the stack shows nothing better.
    carrier: Option<String>,
    /// Who freed the object that the report is about; before that is known, who allocated it.
    user: Option<String>,
    lock: Option<String>,
    /// Lines that may or may not belong to it.
    foreign: Vec<String>,
}

impl Open {
    /// Begins a report; `before` are the lines since its ruler or its `cut here`.
    pub fn new(
        header: Header,
        message: &str,
        start: usize,
        line: usize,
        test: Option<String>,
        before: &[String],
    ) -> Self {
        let mut open = Open {
            title: bounded(message.trim(), TITLE_BYTES).to_owned(),
            start,
            last: line,
            test,
            text: String::new(),
            kept: 0,
            lines: 0,
            traced: false,
            counter: None,
            counted: false,
            entry: None,
            carrier: None,
            user: None,
            lock: None,
            foreign: Vec::new(),
            header,
        };
        for line in before {
            open.keep(line);
        }
        open.keep(message);
        open
    }

    pub fn kind(&self) -> SplatKind {
        self.header.kind
    }

    /// True for a report that an agent's marker ends: it has no end of its own that could come later.
    pub fn ends_at_marker(&self) -> bool {
        match self.header.end {
            End::AfterTrace | End::Outdent | End::Here => true,
            End::TraceMark | End::Ruler | End::PanicMark => false,
        }
    }

    /// True when `next` is only a further line of this report: a fault is announced before it is counted.
    pub fn continues_with(&self, next: &Header) -> bool {
        let fault = match self.header.kind {
            SplatKind::Oops | SplatKind::Bug => !self.traced && !self.counted,
            SplatKind::Warning
            | SplatKind::Panic
            | SplatKind::Kasan
            | SplatKind::Sanitizer
            | SplatKind::Lockdep
            | SplatKind::Atomic
            | SplatKind::HungTask
            | SplatKind::Lockup
            | SplatKind::BadPage
            | SplatKind::Leak => false,
        };
        (fault && next.kind == SplatKind::Oops)
            // kmemleak counts before it lists.
            || (self.header.kind == SplatKind::Leak && next.kind == SplatKind::Leak)
            // A task dump inside the report of a stall.
            || (self.header.kind == SplatKind::HungTask && next.kind == SplatKind::HungTask && !self.traced)
    }

    /// Lets the panic that follows from this report be its last part.
    pub fn take_panic(&mut self, message: &str, line: usize) {
        self.header.end = End::PanicMark;
        self.last = line;
        self.foreign.clear();
        self.keep(message);
    }

    /// Adds a line that is known to belong to it.
    pub fn keep(&mut self, message: &str) {
        self.lines += 1;
        if self.kept < TEXT_LINES && self.text.len() + message.len() < TEXT_BYTES {
            self.text.push_str(message);
            self.text.push('\n');
            self.kept += 1;
        }
    }

    /// Reads one more line.
    pub fn feed(&mut self, message: &str, line: usize) -> Fed {
        self.last = line;
        if self.lines >= LINE_LIMIT {
            return Fed::EndedBefore;
        }
        match self.header.end {
            End::Here => return Fed::EndedBefore,
            End::Outdent => {
                if !message.starts_with([' ', '\t']) {
                    return Fed::EndedBefore;
                }
            }
            End::AfterTrace => {
                if is_ruler(message) {
                    return Fed::EndedBefore;
                }
                if self.is_foreign(message) {
                    self.foreign.push(message.to_owned());
                    return if self.foreign.len() > FOREIGN_LIMIT { Fed::EndedBefore } else { Fed::Goes };
                }
            }
            End::TraceMark | End::Ruler | End::PanicMark => {}
        }
        for line in std::mem::take(&mut self.foreign) {
            self.keep(&line);
        }
        self.learn(message);
        self.keep(message);
        let last = match self.header.end {
            End::TraceMark => message.starts_with("---[ end trace"),
            End::Ruler => is_ruler(message),
            End::PanicMark => message.starts_with("---[ end Kernel panic"),
            End::AfterTrace | End::Outdent | End::Here => false,
        };
        if last { Fed::Ended } else { Fed::Goes }
    }

    fn is_foreign(&self, message: &str) -> bool {
        if self.traced {
            return !is_body(message);
        }
        let limit = if self.header.kind == SplatKind::Lockdep { BEFORE_TRACE_LOCKDEP } else { BEFORE_TRACE };
        self.lines > limit
    }

    fn learn(&mut self, message: &str) {
        if is_trace_start(message) {
            self.traced = true;
        }
        if !self.counted && is_program_counter(message) {
            // Those that follow are of what was interrupted.
            self.counted = true;
            // An assertion in a function that everybody calls speaks of its caller.
            let fault = self.header.kind == SplatKind::Oops;
            let names = |function: &&str| !is_plumbing(function) && (fault || !is_carrier(function));
            self.counter = program_counter(message).filter(names).map(str::to_owned);
        }
        if self.header.kind == SplatKind::Bug
            && let Some(user) = object_user(message)
        {
            self.user = Some(user.to_owned());
        }
        if self.lock.is_none() && self.header.kind == SplatKind::Lockdep {
            self.lock = lock_at(message).map(str::to_owned);
        }
        if self.entry.is_none() {
            let entry = if self.traced { stack_entry(message) } else { None };
            if let Some(carrier) = entry.filter(|function| self.carrier.is_none() && is_carrier(function)) {
                self.carrier = Some(carrier.to_owned());
            }
            let work = || if self.header.kind == SplatKind::Atomic { work(message) } else { None };
            self.entry = entry.filter(|function| !is_carrier(function)).or_else(work).map(str::to_owned);
        }
    }

    /// The finished report.
    pub fn close(self) -> Splat {
        let named = self.header.function.as_deref();
        let entry = self.entry.or(self.user).or(self.carrier);
        let from_trace = match self.header.kind {
            // The program counter is where it happened.
            SplatKind::Warning | SplatKind::Bug | SplatKind::Oops | SplatKind::Lockup => self.counter.or(entry),
            SplatKind::Lockdep => self.lock.or(entry),
            // A program counter further down is what an interrupt found.
            SplatKind::Panic
            | SplatKind::Kasan
            | SplatKind::Sanitizer
            | SplatKind::Atomic
            | SplatKind::HungTask
            | SplatKind::BadPage
            | SplatKind::Leak => entry.or(self.counter),
        };
        let function = match named {
            // Only an assertion or a sanitizer names it in its first line, and both speak of the caller.
            Some(named) if !is_plumbing(named) && !is_carrier(named) => Some(named.to_owned()),
            Some(named) => Some(from_trace.unwrap_or_else(|| named.to_owned())),
            None => from_trace,
        }
        .map(|function| source_name(&function).to_owned());
        let mut text = self.text;
        if self.lines > self.kept {
            text.push_str(&format!("[{} more lines]\n", self.lines - self.kept));
        }
        Splat {
            kind: self.header.kind,
            signature: signature(self.header.kind, function.as_deref(), self.header.file.as_deref(), &self.title),
            title: self.title,
            function,
            line: self.start,
            text,
            test: self.test,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::header::header;
    use super::super::read;
    use super::*;

    fn open(message: &str) -> Open {
        Open::new(header(message).unwrap(), message, 1, 1, None, &[])
    }

    #[test]
    fn what_only_goes_on_with_a_report() {
        let null = "BUG: kernel NULL pointer dereference, address: 0";
        let oops = "Oops: Oops: 0000 [#1] SMP";
        let task = "INFO: task hmm-tests:99 blocked for more than 30 seconds.";
        let leaks = "kmemleak: 2 new suspected memory leaks (see /sys/kernel/debug/kmemleak)";
        let leak = "unreferenced object 0xffff888003a1c000 (size 64):";
        let warning = "WARNING: CPU: 1 PID: 99 at mm/hmm.c:612 hmm_range_fault+0x12/0x34";
        let bug = "kernel BUG at mm/hmm.c:12!";
        let table = [
            (null, oops, true),
            (bug, oops, true),
            (task, task, true),
            (leaks, leak, true),
            (warning, oops, false),
            (null, bug, false),
            (null, task, false),
            (task, oops, false),
            (task, leak, false),
            (leaks, task, false),
            (leaks, oops, false),
        ];
        for (first, next, goes_on) in table {
            let next_header = header(next).unwrap();
            assert_eq!(open(first).continues_with(&next_header), goes_on, "{first}, then {next}");
        }
        // After its trace, or after the place where it happened, another is another.
        for (first, line) in [(null, "Call Trace:"), (null, "RIP: 0010:f+0x1/0x2"), (task, "Call Trace:")] {
            let mut report = open(first);
            report.feed(line, 2);
            let next = header(if first == task { task } else { oops }).unwrap();
            assert!(!report.continues_with(&next), "{first}, {line}");
        }
    }

    #[test]
    fn a_marker_ends_only_what_has_no_end_of_its_own() {
        let ends = |message: &str| open(message).ends_at_marker();
        assert!(ends("INFO: task hmm-tests:99 blocked for more than 30 seconds."));
        assert!(ends("BUG: Bad rss-counter state mm:0 type:MM_ANONPAGES val:1"));
        assert!(ends("unreferenced object 0xffff888003a1c000 (size 64):"));
        assert!(!ends("WARNING: CPU: 1 PID: 99 at mm/hmm.c:612 hmm_range_fault+0x12/0x34"));
        assert!(!ends("BUG: KASAN: use-after-free in f+0x1/0x2"));
        assert!(!ends("Kernel panic - not syncing: no"));
    }

    #[test]
    fn so_much_text_is_kept() {
        let text = |lines: usize, bytes: usize| {
            let mut report = open("BUG: KASAN: use-after-free in f+0x1/0x2");
            for line in 0..lines {
                report.feed(&"x".repeat(bytes), line + 2);
            }
            report.close().text
        };
        assert_eq!(text(TEXT_LINES - 1, 1).lines().count(), TEXT_LINES);
        let cut = text(TEXT_LINES + 1, 1);
        assert_eq!(cut.lines().count(), TEXT_LINES + 1);
        assert!(cut.ends_with("[2 more lines]\n"));
        let long = text(20, 1000);
        assert!(long.len() < TEXT_BYTES + 40 && long.ends_with("[4 more lines]\n"), "{}", long.len());
        assert_eq!(TEXT_BYTES, 16_384, "a report is what people read");
    }

    #[test]
    fn lines_of_others_in_a_trace_are_part_of_it_when_it_goes_on() {
        let report = |foreign: usize, goes_on: bool| {
            let tail = if goes_on { " second+0x1/0x2\n" } else { "" };
            let console = format!(
                "BUG: sleeping function called from invalid context at mm/a.c:1\nCall Trace:\n first+0x1/0x2\n{}{tail}",
                "driver: hello\n".repeat(foreign)
            );
            read(console.trim_end()).splats.remove(0).text
        };
        assert!(report(FOREIGN_LIMIT, true).contains("second"));
        assert!(report(FOREIGN_LIMIT, true).contains("driver: hello"));
        assert!(!report(FOREIGN_LIMIT + 1, true).contains("second"));
        assert!(!report(FOREIGN_LIMIT, false).contains("driver: hello"));
    }

    #[test]
    fn a_trace_that_does_not_come_is_not_waited_for() {
        let text = |first: &str, lines: usize| {
            let body = (1..=lines).map(|n| format!("words {n}\n")).collect::<String>();
            read(&format!("{first}\n{body}")).splats.remove(0).text.lines().count()
        };
        let atomic = "BUG: sleeping function called from invalid context at mm/a.c:1";
        assert_eq!(text(atomic, BEFORE_TRACE), BEFORE_TRACE + 1);
        assert_eq!(text(atomic, BEFORE_TRACE + 20), BEFORE_TRACE + 1);
        // lockdep explains itself at length; what is kept of it is bounded otherwise.
        let lockdep = text("WARNING: possible circular locking dependency detected", BEFORE_TRACE_LOCKDEP + 20);
        assert_eq!(lockdep, TEXT_LINES + 1);
    }

    #[test]
    fn an_indented_report_ends_with_its_indentation() {
        let console =
            "unreferenced object 0xffff888003a1c000 (size 64):\n  comm \"x\"\n\tbacktrace:\nnext\n  not this\n";
        assert_eq!(read(console).splats.remove(0).text.lines().count(), 3);
    }

    #[test]
    fn a_function_that_is_everywhere_gives_way_to_its_caller() {
        let kasan =
            "BUG: KASAN: use-after-free in kasan_check_range+0x1/0x2\nCall Trace:\n kasan_report+0x1/0x2\n f+0x1/0x2\n";
        assert_eq!(read(kasan).splats.remove(0).function.as_deref(), Some("f"));
        let warning = "WARNING: CPU: 0 PID: 1 at mm/page_alloc.c:1 __alloc_pages_noprof+0x1/0x2\nRIP: 0010:__alloc_pages_noprof+0x1/0x2\n\
                       Call Trace:\n alloc_pages_noprof+0x1/0x2\n f+0x1/0x2\n---[ end trace 0 ]---\n";
        assert_eq!(read(warning).splats.remove(0).function.as_deref(), Some("f"));
        // A fault inside of it is its own.
        let fault = "BUG: kernel NULL pointer dereference, address: 0\nRIP: 0010:__alloc_pages_noprof+0x1/0x2\nCall Trace:\n f+0x1/0x2\n";
        assert_eq!(read(fault).splats.remove(0).function.as_deref(), Some("__alloc_pages_noprof"));
        let alone = "BUG: KASAN: use-after-free in kasan_check_range+0x1/0x2\n";
        assert_eq!(read(alone).splats.remove(0).function.as_deref(), Some("kasan_check_range"));
    }
}
