//! Fuzz targets of this room: mails that are answered, and reports that are told.

use camino::Utf8Path;

use super::mail::Message;
use super::outbox::Outbox;
use super::plan::{Plan, Request, plan};
use super::{show, testing};
use crate::fuzz::assert_harmless;
use crate::report::{Report, fixtures};
use crate::words::Series;

/// All headers of a mail of ours, in their order; `Cc` may be missing.
const HEADERS: [&str; 14] = [
    "From",
    "To",
    "Cc",
    "Subject",
    "Date",
    "Message-ID",
    "In-Reply-To",
    "References",
    "Auto-Submitted",
    "X-Mailer",
    "X-Orchestrator-Run",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
];

/// Answers a series that was read from somebody's mails.
pub fn reply(series: &Series) {
    for report in [fixtures::clean(), fixtures::findings()] {
        let report = testing::posted(report);
        if let Some(plan) = planned(&report, series) {
            mail(&plan);
        }
    }
}

/// Tells a report by mail.
pub fn told(report: &Report) {
    if let Some(plan) = planned(report, &testing::series()) {
        mail(&plan);
    }
}

fn planned(report: &Report, series: &Series) -> Option<Plan> {
    let lists = testing::lists();
    let request = Request { report, series, lists: &lists, posted: None, to: &[], cc: &[], now: 1_775_040_000 };
    match plan(&request, &Outbox::of(Utf8Path::new("/nonexistent"))) {
        Ok(plan) => Some(plan),
        Err(error) => {
            assert_harmless(&error.to_string());
            None
        }
    }
}

/// A mail is ASCII, has our headers and no other, in lines that servers take; whoever gets it is in it.
fn mail(plan: &Plan) {
    let Message { message_id, text, to, cc, .. } = &plan.message;
    assert!(text.is_ascii() && !text.replace("\r\n", "").contains(['\r', '\n', '\0']), "{text:?}");
    assert!(text.split("\r\n").all(|line| line.len() <= 998), "a line is too long: {text}");
    let (head, _) = text.split_once("\r\n\r\n").expect("a head and a body");
    let names = head.split("\r\n").filter(|line| !line.starts_with([' ', '\t']));
    let names = names.map(|line| line.split_once(':').map_or(line, |(name, _)| name));
    assert!(names.clone().eq(HEADERS.into_iter().filter(|name| *name != "Cc" || !cc.is_empty())), "{head}");
    let parsed = mail_parser::MessageParser::default().parse(text.as_bytes()).expect("a mail");
    assert_eq!(parsed.message_id(), Some(message_id.as_str()));
    assert_eq!(parsed.attachment_count(), 0, "a mail of ours has one part");
    for (told, read) in [(to, parsed.to()), (cc, parsed.cc())] {
        let read: Vec<&str> = read.iter().flat_map(|all| all.iter()).filter_map(|one| one.address()).collect();
        assert_eq!(*told, read, "{head}");
        assert!(told.iter().all(|address| super::lists::is_address(address)), "{told:?}");
    }
    assert_harmless(&show::mail(&plan.message));
    assert_harmless(&show::recipients(&plan.recipients, &plan.parent));
}
