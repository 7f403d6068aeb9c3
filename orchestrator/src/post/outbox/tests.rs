//! The outbox step by step, with a receiving side that counts what it gets.

use std::sync::Mutex;
use std::time::Duration;

use camino::Utf8PathBuf;

use super::*;
use crate::post::failpoint::{Step, arm, reached};

struct Bench {
    _keep: tempfile::TempDir,
    outbox: Outbox,
    now: std::sync::Arc<Mutex<i64>>,
}

impl Bench {
    fn new() -> Bench {
        let keep = tempfile::tempdir().unwrap();
        let results = Utf8PathBuf::from_path_buf(keep.path().to_owned()).unwrap();
        Bench { outbox: Outbox::of(&results), _keep: keep, now: std::sync::Arc::new(Mutex::new(1_000)) }
    }

    fn lock(&self) -> LockedOutbox {
        let now = self.now.clone();
        self.outbox
            .lock(std::sync::Arc::new(move || jiff::Timestamp::from_millisecond(*now.lock().unwrap()).unwrap()))
            .unwrap()
    }

    fn pass(&self, time: Duration) {
        *self.now.lock().unwrap() += i64::try_from(time.as_millis()).unwrap();
    }

    fn state(&self, id: &ItemId) -> State {
        self.outbox.find(id.as_str()).unwrap().state()
    }

    fn record(&self, id: &ItemId, state: State) {
        let locked = self.lock();
        locked.record(id, Record::new(locked.now(), state, By::Person, "by test")).unwrap();
    }

    /// Puts what a run has to say, as `post --send` does; the id of the message that says it.
    fn say(&self, fingerprint: &str) -> Result<(ItemId, bool), OutboxError> {
        let locked = self.lock();
        let subject = subject(fingerprint);
        match locked.decide(&subject)? {
            Decision::Say { id, .. } => {
                locked.put(id.clone(), draft(fingerprint), State::Ready, By::Program, "new")?;
                Ok((id, true))
            }
            Decision::Said { id, supersedes, .. } => {
                locked.supersede_all(&supersedes, "out of date")?;
                Ok((id, false))
            }
        }
    }
}

fn subject(fingerprint: &str) -> Subject {
    Subject { kind: Kind::Mail, topic: "change/v6".into(), fingerprint: fingerprint.into() }
}

fn draft(fingerprint: &str) -> Draft {
    Draft {
        subject: subject(fingerprint),
        run: "run".into(),
        title: fingerprint.into(),
        destination: "a@example.org".into(),
        payload: serde_json::json!({"text": fingerprint}),
    }
}

/// What the receiving side does with a message.
#[derive(Clone, Copy)]
enum Answer {
    Take,
    NotNow,
    Never,
    Break,
}

/// Keeps what it gets, by the id of the message.
struct Receiver {
    answer: Answer,
    got: Mutex<Vec<String>>,
    can_be_asked: bool,
}

impl Receiver {
    fn new(answer: Answer) -> Receiver {
        Receiver { answer, got: Mutex::new(Vec::new()), can_be_asked: true }
    }
}

impl Courier for Receiver {
    async fn deliver(&self, item: &Item, _: &[Record], gate: Gate<'_>) -> Result<Outcome, OutboxError> {
        let why = "said so".to_owned();
        match self.answer {
            Answer::NotNow => return Ok(Outcome::Deferred { why, retry_after: None, receipts: Vec::new() }),
            Answer::Never => return Ok(Outcome::Refused { why, receipts: Vec::new() }),
            Answer::Take | Answer::Break => {}
        }
        let passed = gate.pass("handed over", Vec::new())?;
        reached(Step::Prepared)?;
        if let Answer::Break = self.answer {
            return Ok(Outcome::Unknown { passed, why });
        }
        self.got.lock().unwrap().push(item.id.to_string());
        reached(Step::Accepted)?;
        Ok(Outcome::Delivered { passed, why, receipts: Vec::new(), reference: Some("r1".into()) })
    }

    async fn arrived(&self, item: &Item) -> Arrival {
        let has = self.got.lock().unwrap().contains(&item.id.to_string());
        match (self.can_be_asked, has) {
            (true, true) => Arrival::Yes { why: "there".into(), reference: None },
            (true, false) => Arrival::No { why: "not there".into() },
            (false, _) => Arrival::Unknown { why: "nobody to ask".into() },
        }
    }
}

async fn deliver(bench: &Bench, id: &ItemId, receiver: &Receiver) -> Result<State, OutboxError> {
    Ok(send(&bench.lock(), id, receiver).await?.state())
}

#[test]
fn only_legal_transitions_are_written() {
    use State::*;
    let legal = [
        (PendingModeration, &[Ready, Dropped, Superseded][..]),
        (Ready, &[Ready, Sending, Refused, Dropped, Superseded]),
        (Sending, &[Ready, Sent, Refused, Uncertain]),
        (Sent, &[]),
        (Refused, &[Ready, Dropped, Superseded]),
        (Uncertain, &[Ready, Sent, Dropped]),
        (Dropped, &[Ready]),
        (Superseded, &[]),
    ];
    assert_eq!(legal.map(|(from, _)| from), State::ALL);
    for (from, to) in legal {
        for next in State::ALL {
            assert_eq!(from.allows(next), to.contains(&next), "{from:?} -> {next:?}");
        }
    }
    let bench = Bench::new();
    let (id, _) = bench.say("A").unwrap();
    let locked = bench.lock();
    let error = locked.record(&id, Record::new(0, Sent, By::Person, "x")).unwrap_err();
    assert!(matches!(error, OutboxError::Illegal { from: Ready, to: Sent, .. }), "{error}");
    assert_eq!(locked.find(id.as_str()).unwrap().records.len(), 1);
}

#[tokio::test]
async fn only_a_change_is_said() {
    let (bench, receiver) = (Bench::new(), Receiver::new(Answer::Take));
    let (first, new) = bench.say("A").unwrap();
    assert!(new);
    assert_eq!(bench.say("A").unwrap(), (first.clone(), false), "it waits already");
    assert_eq!(deliver(&bench, &first, &receiver).await.unwrap(), State::Sent);
    assert_eq!(bench.say("A").unwrap(), (first.clone(), false), "it was said");
    // B waits, then C takes its place, then A holds again: nothing is left to say.
    let (b, _) = bench.say("B").unwrap();
    let (c, _) = bench.say("C").unwrap();
    assert_eq!((bench.state(&b), bench.state(&c)), (State::Superseded, State::Ready));
    assert_eq!(bench.say("A").unwrap(), (first.clone(), false));
    assert_eq!(bench.state(&c), State::Superseded);
    // B is said after all, under an id of its own, and A after it is a change, under another id than the first A.
    let (b_again, new) = bench.say("B").unwrap();
    assert!(new && b_again != b);
    assert_eq!(deliver(&bench, &b_again, &receiver).await.unwrap(), State::Sent);
    let (again, new) = bench.say("A").unwrap();
    assert!(new && again != first);
    assert_eq!(receiver.got.lock().unwrap().len(), 2);
    // What a person dropped is not brought up again, until something else was said.
    bench.record(&again, State::Dropped);
    assert_eq!(bench.say("A").unwrap(), (again, false));
}

#[tokio::test]
async fn an_older_message_is_never_sent_after_a_newer_one_is_there() {
    let (bench, receiver) = (Bench::new(), Receiver::new(Answer::Take));
    let (old, _) = bench.say("A").unwrap();
    // The program is killed between keeping the newer one and marking the older one.
    arm(Some((Step::ItemKept, 1)));
    bench.say("B").unwrap_err();
    assert_eq!(bench.state(&old), State::Ready);
    assert_eq!(deliver(&bench, &old, &receiver).await.unwrap(), State::Superseded);
    assert!(receiver.got.lock().unwrap().is_empty());
}

#[tokio::test]
async fn not_now_is_tried_again_later_and_not_for_ever() {
    let (bench, receiver) = (Bench::new(), Receiver::new(Answer::NotNow));
    let (id, _) = bench.say("A").unwrap();
    let mut waits = Vec::new();
    loop {
        match deliver(&bench, &id, &receiver).await.unwrap() {
            State::Ready => {}
            state => break assert_eq!(state, State::Refused),
        }
        let last = bench.outbox.find(id.as_str()).unwrap().records.pop().unwrap();
        waits.push((last.next_try.unwrap() - last.at) / 60_000);
        let records = bench.outbox.find(id.as_str()).unwrap().records.len();
        deliver(&bench, &id, &receiver).await.unwrap();
        assert_eq!(bench.outbox.find(id.as_str()).unwrap().records.len(), records, "it was tried before its time");
        bench.pass(Duration::from_secs(60 * waits.last().unwrap().unsigned_abs()));
    }
    assert_eq!(waits, [5, 15, 60, 240, 720, 1440, 1440, 1440, 1440]);
    // A person may begin anew.
    bench.record(&id, State::Ready);
    assert_eq!(deliver(&bench, &id, &Receiver::new(Answer::Take)).await.unwrap(), State::Sent);
}

#[tokio::test]
async fn what_is_refused_or_uncertain_waits_for_a_person() {
    let bench = Bench::new();
    let (id, _) = bench.say("A").unwrap();
    assert_eq!(deliver(&bench, &id, &Receiver::new(Answer::Never)).await.unwrap(), State::Refused);
    let taker = Receiver::new(Answer::Take);
    assert_eq!(deliver(&bench, &id, &taker).await.unwrap(), State::Refused);
    bench.record(&id, State::Ready);
    assert_eq!(deliver(&bench, &id, &Receiver::new(Answer::Break)).await.unwrap(), State::Uncertain);
    assert_eq!(deliver(&bench, &id, &taker).await.unwrap(), State::Uncertain);
    assert_eq!(bench.say("A").unwrap(), (id.clone(), false));
    assert!(taker.got.lock().unwrap().is_empty());
    let before = std::fs::read(bench.outbox.folder().join(id.as_str()).join("item.json")).unwrap();
    bench.record(&id, State::Ready);
    assert_eq!(deliver(&bench, &id, &taker).await.unwrap(), State::Sent);
    let after = std::fs::read(bench.outbox.folder().join(id.as_str()).join("item.json")).unwrap();
    assert_eq!(before, after, "a resend sends the very same bytes");
}

/// Stops at every step once, in every delivery, and goes on: the message arrives once, whether the receiving side can be
/// asked or a person has to decide.
#[tokio::test]
async fn a_crash_at_any_step_neither_loses_nor_doubles() {
    for can_be_asked in [true, false] {
        for step in Step::ALL {
            for times in 1..=3 {
                let bench = Bench::new();
                let receiver = Receiver { can_be_asked, ..Receiver::new(Answer::Take) };
                arm(Some((step, times)));
                let mut stopped = 0;
                // The same command again and again, as a nightly run gives it.
                let id = loop {
                    let result = match bench.say("A") {
                        Ok((id, _)) => deliver(&bench, &id, &receiver).await.map(|state| (id, state)),
                        Err(error) => Err(error),
                    };
                    match result {
                        Ok((id, State::Sent)) => break id,
                        Ok((id, State::Uncertain)) => {
                            assert!(!can_be_asked && stopped == 1);
                            // A person looks at the receiving side.
                            let there = receiver.got.lock().unwrap().contains(&id.to_string());
                            bench.record(&id, if there { State::Sent } else { State::Ready });
                        }
                        Ok((_, state)) => panic!("{step:?} {times}: {state:?}"),
                        Err(_) => stopped += 1,
                    }
                    assert!(stopped <= 1, "{step:?} {times}");
                };
                arm(None);
                assert_eq!(*receiver.got.lock().unwrap(), [id.to_string()], "{step:?} {times} {can_be_asked}");
                assert_eq!(bench.outbox.items().unwrap().len(), 1);
            }
        }
    }
}

#[test]
fn one_process_at_a_time() {
    let bench = Bench::new();
    let _held = bench.lock();
    assert!(matches!(bench.outbox.lock(system_clock()), Err(OutboxError::Busy { .. })));
}

#[test]
fn what_cannot_be_read_stops_everything() {
    let bench = Bench::new();
    let (id, _) = bench.say("A").unwrap();
    std::fs::write(bench.outbox.folder().join(id.as_str()).join("records.json"), "{").unwrap();
    assert!(matches!(bench.say("B"), Err(OutboxError::Broken { .. })));
}

#[test]
fn messages_are_found_by_the_beginning_of_their_id() {
    let bench = Bench::new();
    let (id, _) = bench.say("A").unwrap();
    let hash = id.as_str().rsplit('-').next().unwrap();
    for name in [id.as_str(), &id.as_str()[..8], &hash[..6]] {
        assert_eq!(bench.outbox.find(name).unwrap().item.id, id);
    }
    assert!(matches!(bench.outbox.find("x"), Err(OutboxError::Missing { .. })));
    assert!(matches!(bench.outbox.find(""), Err(OutboxError::Missing { .. })));
    // The same subject gives the same id everywhere: receivers know a message that comes twice.
    insta::assert_snapshot!(id, @"mail-21fbf66b439c6552d2fe");
}
