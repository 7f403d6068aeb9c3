//! Archives that serve, lie, dawdle and break.

use std::sync::atomic::{AtomicI64, Ordering};

use wiremock::matchers::{header, method, path, path_regex, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::super::testing::{TestMail, gzip, mbox, posting};
use super::*;

/// A place for one test: an archive and a cache. The clock is the test's own.
struct Desk {
    _keep: tempfile::TempDir,
    cache: Utf8PathBuf,
    server: MockServer,
}

/// Seconds of the clock of the test that moves it.
static NOW: AtomicI64 = AtomicI64::new(1_800_000_000);

fn still() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

fn moving() -> Timestamp {
    Timestamp::from_second(NOW.load(Ordering::SeqCst)).unwrap()
}

fn limits() -> Limits {
    Limits {
        deadline: Duration::from_secs(20),
        patience: Duration::from_secs(5),
        pause: Duration::ZERO,
        packed: 64 * 1024,
        plain: 256 * 1024,
    }
}

impl Desk {
    async fn new() -> Desk {
        let folder = tempfile::tempdir().unwrap();
        let cache = Utf8PathBuf::try_from(folder.path().to_owned()).unwrap();
        Desk { _keep: folder, cache, server: MockServer::start().await }
    }

    fn inbox(&self) -> Source {
        let place = Place::PublicInbox(Url::parse(&format!("{}/list", self.server.uri())).unwrap());
        Source { name: "inbox".to_owned(), place }
    }

    fn intake(&self, limits: Limits) -> Intake {
        Intake::new(vec![self.inbox()], &self.cache, still, limits, &CancellationToken::new()).unwrap()
    }

    /// The archive answers a request for the thread of `a-0`.
    async fn thread(&self, answer: ResponseTemplate) {
        let at = Mock::given(method("GET")).and(path("/list/a-0@example.org/t.mbox.gz"));
        at.respond_with(answer).mount(&self.server).await;
    }

    /// The archive answers every search.
    async fn search(&self, answer: ResponseTemplate) {
        Mock::given(method("POST")).and(path("/list/")).respond_with(answer).mount(&self.server).await;
    }

    /// What becomes of a request for `a-0`; the archive's address replaced.
    async fn outcome(&self, limits: Limits) -> String {
        let text = match self.intake(limits).fetch(&message("a-0"), Choice::AsNamed).await {
            Ok(series) => format!("{} patches; {}", series.patches.len(), series.notes.join("; ")),
            Err(error) => error.to_string(),
        };
        text.replace(&self.server.uri(), "SERVER").replace(self.cache.as_str(), "CACHE")
    }
}

fn message(id: &str) -> Wanted {
    Wanted::Message { id: format!("{id}@example.org"), archive: None }
}

fn packed(mails: &[TestMail]) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(gzip(mbox(mails).as_bytes()), "application/gzip")
}

fn nothing_found() -> ResponseTemplate {
    ResponseTemplate::new(404).set_body_raw("No results found\n", "text/plain")
}

fn small() -> Vec<TestMail> {
    posting("a", "PATCH v2", "mm: do it", 2, 3)
}

#[tokio::test]
async fn a_thread_becomes_a_series_with_its_posting() {
    let desk = Desk::new().await;
    let mut mails = small();
    mails.push(
        TestMail::new("r1", "Re: [PATCH v2 1/2] mm: step 1")
            .from("R. Eviewer <r@example.org>")
            .below(&["a-0", "a-1"])
            .saying("> Do it.\nReviewed-by: R. Eviewer <r@example.org>\n"),
    );
    let from_author = |mail: &&TestMail| mail.id.starts_with("a-");
    let count = mails.iter().filter(from_author).count();
    assert_eq!(count, 3);
    desk.thread(packed(&mails)).await;
    let mut newer = posting("b", "PATCH v3", "mm: do it", 2, 9);
    newer[0].body = "\u{1b}[31mhostile\n".to_owned();
    desk.search(packed(&newer)).await;
    let series = desk.intake(limits()).fetch(&message("a-0"), Choice::AsNamed).await.unwrap();
    assert_eq!((series.name.as_str(), series.version, series.patches.len()), ("mm-do-it-v2", Some(2), 2));
    assert_eq!(series.title, "mm: do it");
    assert_eq!(series.notes, ["v3 is newer than v2: <b-0@example.org>"]);
    let posting = series.posting.unwrap();
    assert_eq!(posting.source, "inbox");
    assert_eq!(posting.url, Some(format!("{}/list/a-0@example.org/", desk.server.uri())));
    let versions: Vec<(u32, &str)> =
        posting.versions.iter().map(|version| (version.version, version.message_id.as_str())).collect();
    assert_eq!(versions, [(2, "a-0@example.org"), (3, "b-0@example.org")]);
    let trailers: Vec<(Option<usize>, &str)> =
        posting.trailers.iter().map(|trailer| (trailer.patch, trailer.trailer.as_str())).collect();
    assert_eq!(trailers, [(Some(1), "Reviewed-by: R. Eviewer <r@example.org>")]);
    assert!(series.patches.iter().all(|patch| !patch.message.contains("Reviewed-by")));
    let latest = desk.intake(limits()).fetch(&message("a-0"), Choice::Latest).await.unwrap();
    assert_eq!((latest.version, latest.patches[0].diff.contains("b-1")), (Some(3), true));
    let none = desk.intake(limits()).fetch(&message("a-0"), Choice::Version(7)).await.unwrap_err();
    insta::assert_snapshot!(none.to_string(), @"<a-0@example.org>: there is no such version; there is v2, v3 (give one of these with --version)");
    assert!(!none.is_infrastructure());
    // Who we are is said honestly, and a change of the address is of our making.
    let requests = desk.server.received_requests().await.unwrap();
    let agent = requests[0].headers.get("user-agent").unwrap().to_str().unwrap();
    assert!(agent.starts_with("orchestrator/"), "{agent}");
    // The second and third time everything was fresh in the cache.
    assert_eq!(requests.len(), 2);
}

#[tokio::test]
async fn an_incomplete_newest_version_is_refused_by_name() {
    let desk = Desk::new().await;
    desk.thread(packed(&small())).await;
    let newer = posting("b", "PATCH v3", "mm: do it", 3, 9);
    desk.search(packed(&[&newer[..2], &newer[3..]].concat())).await;
    let error = desk.intake(limits()).fetch(&message("a-0"), Choice::Latest).await.unwrap_err();
    insta::assert_snapshot!(error.to_string(), @"<a-0@example.org>: v3 is incomplete: 2/3 not in the archive (wait until the rest has arrived, or take another version with --version 2)");
    let series = desk.intake(limits()).fetch(&message("a-0"), Choice::Version(2)).await.unwrap();
    assert_eq!((series.version, series.patches.len()), (Some(2), 2));
}

#[tokio::test]
async fn a_patch_sent_again_alone_is_put_into_the_version_below() {
    let desk = Desk::new().await;
    let mut mails = small();
    mails.push(TestMail::new("n1", "[PATCH v3 1/2] mm: step 1").below(&["a-0", "a-1"]).on(5).adding("new"));
    mails.push(
        TestMail::new("r1", "Re: [PATCH v2 1/2] mm: step 1")
            .below(&["a-0", "a-1"])
            .saying("Reviewed-by: Old <old@example.org>\n"),
    );
    mails.push(
        TestMail::new("r2", "Re: [PATCH v2 2/2] mm: step 2")
            .below(&["a-0", "a-2"])
            .saying("Acked-by: Kept <kept@example.org>\n"),
    );
    desk.thread(packed(&mails)).await;
    desk.search(nothing_found()).await;
    let series = desk.intake(limits()).fetch(&message("a-0"), Choice::Latest).await.unwrap();
    assert_eq!((series.version, series.title.as_str()), (Some(3), "mm: do it"));
    let words = [series.patches[0].diff.contains("+new"), series.patches[1].diff.contains("+a-2")];
    assert_eq!(words, [true, true]);
    assert_eq!(series.notes, ["of v3 only 1/2 was sent, below v2; the other patches are those of v2"]);
    let posting = series.posting.unwrap();
    assert_eq!(posting.rerolled, [1]);
    // What was given to the patch that was replaced is not given to the new one.
    let trailers: Vec<&str> = posting.trailers.iter().map(|trailer| trailer.trailer.as_str()).collect();
    assert_eq!(trailers, ["Acked-by: Kept <kept@example.org>"]);
    assert!(posting.url.unwrap().ends_with("/a-0@example.org/"));
    let named = desk.intake(limits()).fetch(&message("a-0"), Choice::AsNamed).await.unwrap();
    assert_eq!(named.version, Some(2));
    assert_eq!(named.notes, ["v3 is newer than v2: <n1@example.org>"]);
}

#[tokio::test]
async fn a_change_id_leads_to_the_newest_version() {
    let desk = Desk::new().await;
    let mut both = small();
    both[0].body.push_str("\n---\nchange-id: 2026-x\n");
    let mut newer = posting("b", "PATCH v3", "mm: do it well", 1, 9);
    newer[0].body.push_str("\n---\nchange-id: 2026-x\n");
    both.extend(newer);
    Mock::given(method("POST"))
        .and(query_param("q", "nq:\"change-id: 2026-x\""))
        .and(query_param("x", "m"))
        .respond_with(packed(&both))
        .mount(&desk.server)
        .await;
    desk.search(nothing_found()).await;
    let change = Wanted::Change("2026-x".to_owned());
    let series = desk.intake(limits()).fetch(&change, Choice::AsNamed).await.unwrap();
    assert_eq!((series.version, series.change_id.as_deref()), (Some(3), Some("2026-x")));
    let error = desk.intake(limits()).fetch(&Wanted::Change("2026-y".to_owned()), Choice::AsNamed).await.unwrap_err();
    insta::assert_snapshot!(error.to_string(), @r"change-id 2026-y cannot be had: (1) inbox: it does not have a patch series of change-id 2026-y; mend one of these, add a source to series/sources.yaml, or save the thread and pass the mbox");
    let list = desk.intake(limits()).versions(&change).await.unwrap();
    assert_eq!(list.versions.iter().map(|row| row.version).collect::<Vec<_>>(), [2, 3]);
}

#[tokio::test]
async fn odd_answers_are_explained() {
    let packed_small = gzip(mbox(&small()).as_bytes());
    let raw = |bytes: Vec<u8>| ResponseTemplate::new(200).set_body_raw(bytes, "application/gzip");
    let html = |status: u16, text: &str| ResponseTemplate::new(status).set_body_raw(text, "text/html");
    let bots = "<!doctype html><title>Making sure you're not a bot!</title><script src=/anubis.js></script>";
    let answers = [
        ("a page", html(200, "<html><title>Welcome</title>")),
        ("a bot page", html(200, bots)),
        ("a bot page with 403", html(403, bots)),
        ("unknown", ResponseTemplate::new(404)),
        ("broken", html(500, "")),
        ("always overloaded", html(503, "<html><title>Busy</title>")),
        ("too many requests", ResponseTemplate::new(429).insert_header("Retry-After", "3600")),
        ("until a date", ResponseTemplate::new(429).insert_header("Retry-After", "Wed, 25 Nov 2026 12:00:00 GMT")),
        ("cut", raw(packed_small[..packed_small.len() / 2].to_vec())),
        ("a bomb", raw(gzip(&vec![b'x'; 1 << 20]))),
        ("too much", raw([gzip(b"x"), vec![0; 128 * 1024]].concat())),
        ("nothing", raw(Vec::new())),
        ("packed nothing", raw(gzip(b""))),
        ("another thread", packed(&posting("z", "PATCH", "mm: other", 1, 1))),
        ("a mail that is no patch", packed(&[TestMail::new("a-0", "hello")])),
    ];
    let mut told = Vec::new();
    for (name, answer) in answers {
        let desk = Desk::new().await;
        desk.thread(answer).await;
        desk.search(nothing_found()).await;
        told.push(format!("{name}: {}", desk.outcome(limits()).await));
    }
    insta::assert_snapshot!(told.join("\n").replace("; mend one of these, add a source to series/sources.yaml, or save the thread and pass the mbox", "; ..."), @r#"
    a page: <a-0@example.org> cannot be had: (1) inbox: SERVER/list/a-0@example.org/t.mbox.gz: it answered with a web page ("Welcome") in place of mails; look at SERVER/list/a-0@example.org/t.mbox.gz in a browser; ...
    a bot page: <a-0@example.org> cannot be had: (1) inbox: SERVER/list/a-0@example.org/t.mbox.gz: it answered with a page that checks for bots ("Making sure you're not a bot!") in place of mails; open SERVER/list/a-0@example.org/t.mbox.gz in a browser, save it, unpack it and pass that file, or add another source to series/sources.yaml; ...
    a bot page with 403: <a-0@example.org> cannot be had: (1) inbox: SERVER/list/a-0@example.org/t.mbox.gz: it answered 403 Forbidden: it answered with a page that checks for bots ("Making sure you're not a bot!") in place of mails; open SERVER/list/a-0@example.org/t.mbox.gz in a browser, save it, unpack it and pass that file, or add another source to series/sources.yaml; ...
    unknown: <a-0@example.org> cannot be had: (1) inbox: it does not have <a-0@example.org> (SERVER/list/a-0@example.org/t.mbox.gz); ...
    broken: <a-0@example.org> cannot be had: (1) inbox: SERVER/list/a-0@example.org/t.mbox.gz: it answered 500 Internal Server Error; ...
    always overloaded: <a-0@example.org> cannot be had: (1) inbox: SERVER/list/a-0@example.org/t.mbox.gz: it answered 503 Service Unavailable: it answered with a web page ("Busy") in place of mails; look at SERVER/list/a-0@example.org/t.mbox.gz in a browser; ...
    too many requests: <a-0@example.org> cannot be had: (1) inbox: SERVER/list/a-0@example.org/t.mbox.gz: it answered 429 Too Many Requests: it asks to come back in 3600 s; ...
    until a date: <a-0@example.org> cannot be had: (1) inbox: SERVER/list/a-0@example.org/t.mbox.gz: it answered 429 Too Many Requests: it asks to come back at Wed, 25 Nov 2026 12:00:00 GMT; ...
    cut: <a-0@example.org> cannot be had: (1) inbox: SERVER/list/a-0@example.org/t.mbox.gz: the compressed mails are cut off after 172 bytes; the connection broke, or a proxy limits sizes; ...
    a bomb: <a-0@example.org> cannot be had: (1) inbox: SERVER/list/a-0@example.org/t.mbox.gz: the mails unpack to more than 262144 bytes, which no thread of patches has; ...
    too much: <a-0@example.org> cannot be had: (1) inbox: SERVER/list/a-0@example.org/t.mbox.gz: it sends more than 65536 bytes, which no thread of patches has; ...
    nothing: <a-0@example.org> cannot be had: (1) inbox: SERVER/list/a-0@example.org/t.mbox.gz: it answered with nothing; ...
    packed nothing: <a-0@example.org> cannot be had: (1) inbox: SERVER/list/a-0@example.org/t.mbox.gz: SERVER/list/a-0@example.org/t.mbox.gz is empty (save the mails again); ...
    another thread: <a-0@example.org> cannot be had: (1) inbox: SERVER/list/a-0@example.org/t.mbox.gz: it answered with mails of which none is <a-0@example.org>; ...
    a mail that is no patch: <a-0@example.org> cannot be had: (1) inbox: it does not have a patch series of <a-0@example.org>; ...
    "#);
}

#[tokio::test]
async fn a_circle_of_redirects_is_left() {
    let desk = Desk::new().await;
    let round = ResponseTemplate::new(302)
        .insert_header("Location", format!("{}/list/a-0@example.org/t.mbox.gz", desk.server.uri()));
    desk.thread(round).await;
    let text = desk.outcome(limits()).await;
    assert!(text.contains("it redirects more than 5 times, or in a circle"), "{text}");
    assert_eq!(desk.server.received_requests().await.unwrap().len(), 6);
}

#[tokio::test]
async fn overload_that_passes_is_waited_for() {
    let desk = Desk::new().await;
    let busy = ResponseTemplate::new(429).insert_header("Retry-After", "0");
    let at = Mock::given(method("GET")).and(path_regex("t.mbox.gz$"));
    at.respond_with(busy).up_to_n_times(2).mount(&desk.server).await;
    desk.thread(packed(&small())).await;
    desk.search(nothing_found()).await;
    assert_eq!(desk.outcome(limits()).await, "2 patches; ");
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/list", listener.local_addr().unwrap())).unwrap();
    // Nobody accepts: the connection stands, and no byte comes.
    let folder = tempfile::tempdir().unwrap();
    let cache = Utf8Path::from_path(folder.path()).unwrap();
    let sources = vec![Source { name: "inbox".to_owned(), place: Place::PublicInbox(url) }];
    let quick = Limits { deadline: Duration::from_millis(50), ..limits() };
    let intake = Intake::new(sources.clone(), cache, still, quick, &CancellationToken::new()).unwrap();
    let error = intake.fetch(&message("a-0"), Choice::AsNamed).await.unwrap_err();
    assert!(error.to_string().contains("no whole answer within"), "{error}");
    assert!(error.is_infrastructure());
    let cancel = CancellationToken::new();
    let intake = Intake::new(sources, cache, still, Limits::default(), &cancel).unwrap();
    cancel.cancel();
    let error = intake.fetch(&message("a-0"), Choice::AsNamed).await.unwrap_err();
    assert!(matches!(error, IntakeError::Cancelled { .. }), "{error}");
}

#[tokio::test]
async fn a_copy_serves_when_the_archive_does_not() {
    let desk = Desk::new().await;
    let intake = || Intake::new(vec![desk.inbox()], &desk.cache, moving, limits(), &CancellationToken::new()).unwrap();
    let fetch = |intake: Intake| async move { intake.fetch(&message("a-0"), Choice::AsNamed).await };
    desk.thread(packed(&small())).await;
    desk.search(nothing_found()).await;
    fetch(intake()).await.unwrap();
    desk.server.reset().await;
    // Within ten minutes nobody is asked for the thread; that other versions cannot be searched for is told.
    let notes = fetch(intake()).await.unwrap().notes;
    assert_eq!(notes.len(), 1);
    assert!(notes[0].starts_with("other versions were looked for in the thread alone"), "{notes:?}");
    NOW.fetch_add(3 * 3600, Ordering::SeqCst);
    for answer in [
        ResponseTemplate::new(500),
        ResponseTemplate::new(200).set_body_raw("<html>", "text/html"),
        ResponseTemplate::new(404),
        packed(&posting("z", "PATCH", "mm: other", 1, 1)),
    ] {
        desk.server.reset().await;
        desk.thread(answer).await;
        desk.search(nothing_found()).await;
        let series = fetch(intake()).await.unwrap();
        assert_eq!((series.patches.len(), series.notes.len()), (2, 1), "{:?}", series.notes);
        assert!(series.notes[0].ends_with("; its answer of 3 h ago is taken"), "{:?}", series.notes);
    }
}

#[tokio::test]
async fn sources_are_asked_in_order_and_the_others_named() {
    let desk = Desk::new().await;
    let file = desk.cache.join("list.mbox");
    let mut other = posting("z", "PATCH v9", "mm: do it", 2, 9);
    other.iter_mut().for_each(|mail| mail.from = "O. Ther <other@example.org>".to_owned());
    let older = posting("o", "PATCH", "mm: do it", 2, 1);
    std::fs::write(&file, mbox(&[small(), other, older].concat())).unwrap();
    let maildir = desk.cache.join("maildir");
    for part in ["cur", "new"] {
        std::fs::create_dir_all(maildir.join(part)).unwrap();
    }
    for (index, mail) in small().iter().enumerate() {
        std::fs::write(maildir.join(format!("cur/{index}.x")), mail.text().split_once('\n').unwrap().1).unwrap();
    }
    desk.thread(ResponseTemplate::new(404)).await;
    let at = |name: &str, place: Place| Source { name: name.to_owned(), place };
    let fetch = |sources: Vec<Source>| async {
        let intake = Intake::new(sources, &desk.cache, still, limits(), &CancellationToken::new()).unwrap();
        intake.fetch(&message("a-2"), Choice::AsNamed).await
    };
    let gone = at("gone", Place::Mbox(desk.cache.join("none")));
    let series = fetch(vec![gone.clone(), desk.inbox(), at("file", Place::Mbox(file))]).await.unwrap();
    let posting = series.posting.unwrap();
    assert_eq!((posting.source.as_str(), posting.url, series.version), ("file", None, Some(2)));
    assert_eq!(posting.versions.iter().map(|version| version.version).collect::<Vec<_>>(), [1, 2]);
    let notes = series.notes.join("\n").replace(desk.cache.as_str(), "DIR").replace(&desk.server.uri(), "SERVER");
    insta::assert_snapshot!(notes, @r"
    gone: cannot read DIR/none: No such file or directory (os error 2); file served instead
    inbox: it does not have <a-2@example.org> (SERVER/list/a-2@example.org/t.mbox.gz); file served instead
    ");
    let series = fetch(vec![at("dir", Place::Maildir(maildir))]).await.unwrap();
    assert_eq!((series.patches.len(), series.notes.len()), (2, 0));
    let error = fetch(vec![gone]).await.unwrap_err().to_string();
    assert!(error.contains("(1) gone: cannot read"), "{error}");
    let error = fetch(Vec::new()).await.unwrap_err();
    assert!(matches!(error, IntakeError::NoSource { .. }), "{error}");
}

#[tokio::test]
async fn the_archive_of_an_address_is_asked_first() {
    let desk = Desk::new().await;
    desk.thread(packed(&small())).await;
    desk.search(nothing_found()).await;
    let wanted = Wanted::parse(&format!("{}/list/a-0@example.org/T/#u", desk.server.uri())).unwrap();
    let nowhere = Source { name: "file".to_owned(), place: Place::Mbox(desk.cache.join("none")) };
    let intake = Intake::new(vec![nowhere], &desk.cache, still, limits(), &CancellationToken::new()).unwrap();
    let series = intake.fetch(&wanted, Choice::AsNamed).await.unwrap();
    assert_eq!((series.posting.unwrap().source.as_str(), series.notes.len()), ("127.0.0.1", 0));
}

#[tokio::test]
async fn a_series_of_patchwork_is_put_together_without_what_it_adds() {
    let desk = Desk::new().await;
    let letter = |number: usize, body: &str| {
        let mail = &small()[number];
        let mut headers = serde_json::json!({
            "From": mail.from, "Subject": mail.subject, "Message-Id": format!("<{}>", mail.id),
            "Date": "03 Mar 2026 08:24:07 +0000", "Received": ["a", "b"],
        });
        if number > 0 {
            headers["References"] = "<a-0@example.org>".into();
        }
        let (content, diff) = body
            .split_once("diff --git")
            .map_or((body, None), |(text, diff)| (text, Some(format!("diff --git{diff}"))));
        serde_json::json!({ "id": number, "headers": headers, "content": content, "diff": diff, "series": [{"id": 7}] })
    };
    let json = |place: &str, body: serde_json::Value| {
        Mock::given(method("GET"))
            .and(path(place.to_owned()))
            .respond_with(ResponseTemplate::new(200).set_body_json(body))
    };
    let mails = small();
    json("/api/1.2/series/7/", serde_json::json!({ "cover_letter": {"id": 0}, "patches": [{"id": 1}, {"id": 2}] }))
        .mount(&desk.server)
        .await;
    json("/api/1.2/covers/0/", letter(0, &mails[0].body)).mount(&desk.server).await;
    json("/api/1.2/patches/1/", letter(1, &mails[1].body)).mount(&desk.server).await;
    json("/api/1.2/patches/2/", letter(2, &mails[2].body)).mount(&desk.server).await;
    json("/api/1.2/patches/", serde_json::json!([{"id": 2, "series": [{"id": 7}]}])).mount(&desk.server).await;
    let place = Place::Patchwork { server: Url::parse(&desk.server.uri()).unwrap(), project: "linux-mm".to_owned() };
    let sources = vec![Source { name: "pw".to_owned(), place }];
    let intake = Intake::new(sources, &desk.cache, still, limits(), &CancellationToken::new()).unwrap();
    for wanted in [
        message("a-2"),
        Wanted::parse(&format!("{}/project/linux-mm/list/?series=7", desk.server.uri())).unwrap(),
        Wanted::parse(&format!("{}/patch/2/", desk.server.uri())).unwrap(),
    ] {
        let series = intake.fetch(&wanted, Choice::AsNamed).await.unwrap();
        assert_eq!(
            (series.patches.len(), series.title.as_str(), series.version),
            (2, "mm: do it", Some(2)),
            "{wanted}"
        );
        assert_eq!(series.posting.as_ref().unwrap().source, "pw");
        assert!(series.patches[1].diff.contains("+a-2"));
        let notes = series.notes.join("\n").replace(&desk.server.uri(), "SERVER");
        assert_eq!(notes, "other versions were looked for in the thread alone: pw: patchwork cannot search for it");
    }
}

#[tokio::test]
async fn a_pull_request_is_a_series() {
    let desk = Desk::new().await;
    let patches = mbox(&[
        TestMail::new("x", "[PATCH 1/2] mm: one").adding("one"),
        TestMail::new("y", "[PATCH 2/2] mm: two").adding("two"),
    ]);
    let at = || Mock::given(method("GET")).and(path("/repos/owner/repo/pulls/12"));
    at().and(header("Accept", "application/vnd.github.patch"))
        .respond_with(ResponseTemplate::new(200).set_body_string(patches))
        .with_priority(1)
        .mount(&desk.server)
        .await;
    let about = serde_json::json!({
        "url": "https://api.github.com/repos/owner/repo/pulls/12", "id": 1, "number": 12,
        "title": "Do it", "html_url": "https://github.com/owner/repo/pull/12",
        "head": {"ref": "topic", "sha": "1"}, "base": {"ref": "main", "sha": "2"},
    });
    at().respond_with(ResponseTemplate::new(200).set_body_json(about)).with_priority(5).mount(&desk.server).await;
    let place = Place::Github {
        repository: "owner/repo".to_owned(),
        token_env: None,
        api: Some(Url::parse(&desk.server.uri()).unwrap()),
    };
    let sources = vec![Source { name: "gh".to_owned(), place }];
    let intake = Intake::new(sources, &desk.cache, still, limits(), &CancellationToken::new()).unwrap();
    let wanted = Wanted::parse("owner/repo#12").unwrap();
    let series = intake.fetch(&wanted, Choice::AsNamed).await.unwrap();
    assert_eq!((series.title.as_str(), series.name.as_str(), series.patches.len()), ("Do it", "owner/repo#12", 2));
    assert_eq!(series.posting.unwrap().url.as_deref(), Some("https://github.com/owner/repo/pull/12"));
    desk.server.reset().await;
    let missing = serde_json::json!({ "message": "Not Found", "documentation_url": "https://example.org" });
    at().respond_with(ResponseTemplate::new(404).set_body_json(missing)).mount(&desk.server).await;
    let error = intake.fetch(&wanted, Choice::AsNamed).await.unwrap_err().to_string();
    assert!(error.contains("there is no such pull request, or it needs a token"), "{error}");
}

#[tokio::test]
async fn posted_mails_stand_in_for_a_tree_without_port() {
    let desk = Desk::new().await;
    desk.thread(packed(&small())).await;
    desk.search(nothing_found()).await;
    for folder in ["series/v9/linux-6.12", "kconfigs"] {
        std::fs::create_dir_all(desk.cache.join(folder)).unwrap();
    }
    let manifest = "name: v9\ntitle: A title\ndefault_tree: linux-6.12\nports: {linux-6.12: v9/linux-6.12}\n\
        upstream: {title: Posted, version: 2, message_id: a-0@example.org, trees: [mm-unstable]}\n";
    std::fs::write(desk.cache.join("series/v9.yaml"), manifest).unwrap();
    let port = TestMail::new("p", "[PATCH v2 1/1] mm: port").adding("port");
    std::fs::write(desk.cache.join("series/v9/linux-6.12/0001-a.patch"), port.text()).unwrap();
    let home = Home::find(Some(&desk.cache), &desk.cache, &desk.cache).unwrap();
    let asked = super::super::ask("v9", &home).unwrap();
    let intake = desk.intake(limits());
    let posted = intake.load(&home, &asked, Some("mm-unstable"), Choice::AsNamed).await.unwrap();
    assert_eq!((posted.name.as_str(), posted.title.as_str(), posted.patches.len()), ("v9", "A title", 2));
    assert!(posted.upstream.is_none() && posted.posting.is_some());
    let ported = intake.load(&home, &asked, None, Choice::AsNamed).await.unwrap();
    assert!(ported.upstream.is_some() && ported.posting.is_none() && ported.patches.len() == 1);
    let error = intake.load(&home, &asked, Some("linux-6.1"), Choice::AsNamed).await.unwrap_err().to_string();
    insta::assert_snapshot!(error, @"series v9 has no port to linux-6.1; ports: linux-6.12. Write a port, or, if the posted mails apply there, pass the Message-ID a-0@example.org in place of `v9`");
}
