//! Fuzz targets of this room.

use camino::Utf8Path;

use super::postings::{Start, Survey};
use super::sources::{Place, Source};
use super::{gzip, page, patchwork, versions};
use crate::fuzz::assert_harmless;
use crate::series;

/// Most bytes that an answer of an archive is unpacked to here.
const LIMIT: u64 = 1 << 20;

/// Mails of a thread, sorted into postings and versions, looked for by each of the first mails.
pub fn thread(data: &[u8]) {
    let Ok(mails) = series::mails(Utf8Path::new("x.mbox"), data) else { return };
    let place = Place::Patchwork { server: "https://pw.example.org".parse().expect("constant"), project: "mm".into() };
    let source = Source { name: "pw".into(), place };
    let ids: Vec<String> = mails.iter().filter_map(|mail| mail.message_id.clone()).take(3).collect();
    let starts = ids.iter().map(|id| Start::Message(id)).chain([Start::Change("2026-change")]);
    for start in starts {
        let Some(survey) = Survey::new(mails.clone(), start) else { continue };
        let rows = versions::rows(&survey, &source);
        assert_eq!(rows.len(), survey.line().len());
        assert!(rows.windows(2).all(|pair| pair[0].version <= pair[1].version), "versions are out of order");
        for (row, at) in rows.iter().zip(survey.line()) {
            let posting = survey.posting(*at);
            assert!(posting.members.iter().all(|member| *member < survey.mails.len()));
            assert!(row.missing.len() <= 100);
            assert!(survey.chain(*at).len() <= rows.len() + survey.mails.len());
            let _ = survey.parts(*at);
        }
    }
}

/// What an archive, or the API of patchwork, answers. What unpacks stays within its limit; a patch of patchwork's makes
/// one mail, whatever stands in its headers and its text; what came in place of mails is said without control characters.
pub fn answers(data: &[u8]) {
    match gzip::unpack(data, LIMIT) {
        Ok(plain) => {
            assert!(plain.len() as u64 <= LIMIT);
            if let Err(error) = series::mails(Utf8Path::new("https://x/y"), &plain) {
                assert_harmless(&error.to_string());
            }
        }
        Err(trouble) => assert_harmless(&trouble.to_string()),
    }
    assert_harmless(&page::explain(data, "https://x/y"));
    if let Some(mail) = patchwork::fuzz_letter(data) {
        let read = series::mails(Utf8Path::new("https://x/y"), mail.as_bytes()).unwrap_or_default();
        assert!(read.len() <= 1, "one answer of patchwork's makes {} mails", read.len());
    }
}
