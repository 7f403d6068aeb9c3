use camino::Utf8Path;

use super::*;
use crate::config::Home;
use crate::post::testing::{envelope, lists, person, policy};
use crate::words::Envelope;

fn parent() -> Envelope {
    envelope(0, "Migrate on fault for device pages")
}

/// Who gets it, as `to | cc`.
fn who(lists: &Lists, parent: &Envelope, verdict: Verdict) -> String {
    let chosen = recipients(lists, parent, verdict);
    let emails =
        |choices: &[Choice]| choices.iter().map(|choice| choice.person.email.as_str()).collect::<Vec<_>>().join(" ");
    format!("{} | {}", emails(&chosen.to), emails(&chosen.cc))
}

fn with(policies: &[(&str, PolicyEntry)]) -> Lists {
    let own = policies.iter().map(|(address, policy)| ((*address).to_owned(), policy.clone())).collect();
    Lists { lists: own, ..lists() }
}

#[test]
fn policies_choose_the_recipients() {
    use Audience::{Author, Everyone, List};
    use When::{Always, Findings, Never};
    let mm = "linux-mm@kvack.org";
    let kernel = "linux-kernel@vger.kernel.org";
    let table = [
        // Known lists decide, each for itself.
        (vec![(mm, policy(Always, List, false))], Verdict::Clean, "author@example.org | linux-mm@kvack.org"),
        (vec![(mm, policy(Findings, List, false))], Verdict::Clean, " | "),
        (vec![(mm, policy(Findings, List, false))], Verdict::Retracted, "author@example.org | linux-mm@kvack.org"),
        (vec![(mm, policy(Findings, Author, false))], Verdict::Findings, "author@example.org | "),
        (vec![(mm, policy(Never, Everyone, false))], Verdict::Findings, " | "),
        (
            vec![(mm, policy(Findings, List, false)), (kernel, policy(Never, List, false))],
            Verdict::Findings,
            "author@example.org | linux-mm@kvack.org",
        ),
        (
            vec![(mm, policy(Always, Everyone, false)), (kernel, policy(Findings, List, false))],
            Verdict::Clean,
            "author@example.org | linux-mm@kvack.org reviewer@example.org dri-devel@lists.freedesktop.org",
        ),
        // Without a known list the default holds: the author alone, and only for findings.
        (vec![], Verdict::Findings, "author@example.org | "),
        (vec![], Verdict::Clean, " | "),
    ];
    for (policies, verdict, expected) in table {
        assert_eq!(who(&with(&policies), &parent(), verdict), expected, "{policies:?} {verdict:?}");
    }
}

#[test]
fn a_list_is_known_however_its_address_is_written_and_nobody_gets_it_twice() {
    let mut parent = parent();
    parent.to = vec![person("", "Linux-MM@kvack.org"), person("A. Author", "AUTHOR@example.org")];
    parent.cc = vec![person("", "linux-mm@kvack.org"), person("", "robot@example.org"), person("", "no address")];
    assert_eq!(who(&lists(), &parent, Verdict::Clean), "author@example.org | Linux-MM@kvack.org");
    // The robot does not answer itself.
    parent.from = person("", "robot@example.org");
    assert_eq!(who(&lists(), &parent, Verdict::Clean), "Linux-MM@kvack.org | ");
}

#[test]
fn one_policy_that_wants_a_person_is_enough() {
    let mut lists = lists();
    lists.lists.insert("dri-devel@lists.freedesktop.org".into(), policy(When::Findings, Audience::List, true));
    assert_eq!(recipients(&lists, &parent(), Verdict::Clean).moderation, Vec::<String>::new());
    assert_eq!(recipients(&lists, &parent(), Verdict::Findings).moderation, ["dri-devel@lists.freedesktop.org"]);
}

fn home() -> Home {
    let root = Utf8Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    Home::find(Some(root), root, root).unwrap()
}

fn own(text: &str) -> Result<Lists, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = Utf8Path::from_path(folder.path()).unwrap().join("lists.yaml");
    std::fs::write(&file, text).unwrap();
    load(&home(), Some(&file)).map_err(|error| error.to_string().replace(folder.path().to_str().unwrap(), "DIR"))
}

#[test]
fn what_is_shipped_sends_nothing_by_itself() {
    let lists = own("{}").unwrap();
    assert_eq!((&lists.sender, &lists.smtp, &lists.git_send_email), (&None, &None, &None));
    assert!(lists.default.moderation && lists.lists.values().all(|policy| policy.moderation));
    assert!(lists.lists.contains_key("linux-mm@kvack.org"));
    assert_eq!(lists.link("a/b@example.org").unwrap(), "https://lore.kernel.org/all/a%2Fb@example.org/");
}

#[test]
fn the_own_file_says_otherwise_list_by_list() {
    let lists = own("sender: {name: Robot, email: robot@lab.example.org}\n\
                     archive: https://inbox.example.org/mm\n\
                     lists:\n  Linux-MM@kvack.org: {when: always, audience: list, moderation: false}\n")
    .unwrap();
    assert_eq!(lists.sender.as_ref().unwrap().domain, "lab.example.org");
    assert_eq!(lists.lists["linux-mm@kvack.org"], policy(When::Always, Audience::List, false));
    assert!(lists.lists["dri-devel@lists.freedesktop.org"].moderation);
    assert_eq!(lists.link("a@b").unwrap(), "https://inbox.example.org/mm/a@b/");
}

#[test]
fn mistakes_are_told_all_at_once() {
    let text = "sender: {name: Robot, email: robot at example.org}\n\
                message_id_domain: -bad-\n\
                archive: ftp://example.org\n\
                smtp: {host: mail.example.org, security: none, user: robot, ca_file: ca.pem}\n\
                lists:\n  linux-mm: {when: always, audience: list, moderation: true}\n";
    insta::assert_snapshot!(own(text).unwrap_err());
    insta::assert_snapshot!(
        own("smtp: {host: a.example.org, securty: tls}\ndefault: {when: often, audience: list, moderation: no}\n")
            .unwrap_err()
    );
}
