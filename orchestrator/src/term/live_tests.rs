use std::sync::atomic::{AtomicU64, Ordering};

use indicatif::InMemoryTerm;

use super::*;
use crate::words::{UnitKind, UnitOutcome};

/// A clock that the test sets and a stream that it reads.
#[derive(Clone, Default)]
struct Bench {
    seconds: Arc<AtomicU64>,
    written: Arc<Mutex<Vec<u8>>>,
}

impl Write for Bench {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.written.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Bench {
    fn screen(&self, stream: Stream) -> Screen {
        let seconds = self.seconds.clone();
        let clock: Clock = Box::new(move || Duration::from_secs(seconds.load(Ordering::SeqCst)));
        Screen::new(stream, Styles::plain(), clock, Box::new(|| 60))
    }

    fn text(&self) -> String {
        String::from_utf8(self.written.lock().unwrap().clone()).unwrap()
    }

    fn set(&self, seconds: u64) {
        self.seconds.store(seconds, Ordering::SeqCst);
    }
}

const UNIT: &str = "build/linux-6.12/base/hmm";

fn started() -> Event {
    Event::UnitStarted { unit: UNIT.into(), kind: UnitKind::Build, attempt: 1 }
}

fn step(done: u64) -> Event {
    Event::UnitProgress { unit: UNIT.into(), done, total: 300, message: format!("mm/{done}.o") }
}

fn ended() -> Event {
    Event::UnitEnded {
        unit: UNIT.into(),
        kind: UnitKind::Build,
        attempt: 1,
        outcome: UnitOutcome::Done,
        key: None,
        reused: false,
        wall_ms: 100_000,
    }
}

#[test]
fn options_and_stream_decide_the_mode() {
    assert_eq!(Mode::decide(true, true, true), Mode::Json);
    assert_eq!(Mode::decide(false, true, true), Mode::Quiet);
    assert_eq!(Mode::decide(false, false, true), Mode::Bars);
    assert_eq!(Mode::decide(false, false, false), Mode::Plain);
}

#[test]
fn a_log_is_not_flooded() {
    let bench = Bench::default();
    let mut screen = bench.screen(Stream::Plain(Throttled::new(Box::new(bench.clone()), PLAIN_EVERY)));
    screen.on_event(&started());
    for second in 0..100 {
        bench.set(second);
        for _ in 0..10 {
            screen.on_event(&step(second));
        }
    }
    bench.set(100);
    screen.on_event(&ended());
    insta::assert_snapshot!(bench.text(), @"
    [   0:00] start   build/linux-6.12/base/hmm
    [   0:30]         build/linux-6.12/base/hmm 30/300 mm/30.o
    [   1:00]         build/linux-6.12/base/hmm 60/300 mm/60.o
    [   1:30]         build/linux-6.12/base/hmm 90/300 mm/90.o
    [   1:40] done    build/linux-6.12/base/hmm (1:40)
    ");
}

#[test]
fn json_lines_are_events() {
    let bench = Bench::default();
    let mut screen = bench.screen(Stream::Json(Throttled::new(Box::new(bench.clone()), JSON_EVERY)));
    let note = Event::Note { message: "a\nb\u{1b}".into() };
    for event in [&started(), &step(1), &note, &ended()] {
        screen.on_event(event);
    }
    let text = bench.text();
    assert!(!text.contains('\u{1b}'));
    let read: Vec<Event> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(read, [started(), note, ended()]);
}

#[test]
fn quiet_is_quiet_and_still_counts() {
    let mut screen = Bench::default().screen(Stream::Quiet);
    screen.on_event(&ended());
    screen.print("x");
    assert_eq!(screen.progress.units(), (1, 1));
}

#[test]
fn a_closed_pipe_is_told_at_the_end() {
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let screen = Bench::default().screen(Stream::Json(Throttled::new(Box::new(Closed), JSON_EVERY)));
    let mut live = Live { screen: Arc::new(Mutex::new(screen)), ticker: None };
    live.on_event(&ended());
    live.on_event(&ended());
    assert_eq!(live.finish().unwrap_err().kind(), io::ErrorKind::BrokenPipe);
}

#[test]
fn terminal_shows_what_runs_below_what_is_done() {
    let bench = Bench::default();
    let term = InMemoryTerm::new(20, 60);
    let target = ProgressDrawTarget::term_like_with_hz(Box::new(term.clone()), 255);
    let mut screen = bench.screen(Stream::Bars(Bars::new(target)));
    screen.on_event(&Event::Planned { units: 2, reused: 0, pending: Vec::new() });
    screen.on_event(&started());
    bench.set(60);
    screen.on_event(&step(150));
    screen
        .on_event(&Event::Note { message: "a \u{1b}[2J note that is longer than the sixty columns there are".into() });
    // Drawing is limited in rate by the real clock; what is on the screen after forced draws is not.
    for bar in bars(&screen) {
        bar.abandon();
    }
    insta::assert_snapshot!(term.contents(), @r"
       note  a ^[[2J note that is longer than the sixty columns
             there are
       1:00  build/linux-6.12/base/hmm   50%  mm/150.o
    [                              ]  0/2 units  1:00
    ");
    screen.clear();
    insta::assert_snapshot!(term.contents(), @r"
       note  a ^[[2J note that is longer than the sixty columns
             there are
    ");
}

fn bars(screen: &Screen) -> &[ProgressBar] {
    match &screen.stream {
        Stream::Bars(bars) => &bars.lines,
        Stream::Plain(_) | Stream::Json(_) | Stream::Quiet => panic!("no bars"),
    }
}
