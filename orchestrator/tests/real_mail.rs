//! Mail on the real thing: Debian's Exim takes it, a public-inbox shows it in its thread, and the program is killed between
//! every two steps.
//!
//! Needs root (Exim delivers as a user of its own) and the packages that `scripts/deps --mail` installs. `make test`, or
//! `cargo test --test real_mail -- --ignored --test-threads=1`.

mod mail_lab;

use std::os::unix::process::ExitStatusExt;
use std::process::Output;

use mail_lab::{COVER, MailLab, Secured};

const PLAIN: &str = ", security: none";

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Mails with this Message-ID domain.
fn copies<'a>(mails: &'a [String], domain: &str) -> Vec<&'a String> {
    mails.iter().filter(|mail| mail.contains(&format!("@{domain}>\n"))).collect()
}

/// The id of the only message in the outbox.
fn only_id(lab: &MailLab) -> String {
    let list = text(&lab.run(&["outbox"]));
    assert_eq!(list.lines().count(), 1, "{list}");
    list.split_whitespace().next().unwrap().to_owned()
}

#[test]
#[ignore = "needs root, Exim and public-inbox"]
fn a_mail_arrives_once_and_stands_under_the_cover_letter() {
    let lab = MailLab::new(Secured::Login);
    lab.add_run(false);
    let password = lab.file("password", "secret\n", 0o600);
    let login = |user: &str, password: &str| {
        let authority = lab.authority();
        format!(", security: starttls, ca_file: {}, user: {user}, {password}", authority.display())
    };
    let file = format!("password_file: {}", password.display());

    // Shown, and nothing sent.
    lab.configure("once.example.org", &login("robot", &file));
    let shown = lab.run(&["post"]);
    assert!(shown.status.success() && text(&shown).contains("nothing was sent; --send sends it"), "{}", text(&shown));
    assert!(lab.deliver().is_empty());

    // A wrong login is final until somebody mends it.
    lab.configure("once.example.org", &login("stranger", &file));
    let refused = lab.run(&["post", "--send"]);
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused));
    assert!(text(&refused).contains("login of stranger") && text(&refused).contains("refused"), "{}", text(&refused));

    // A certificate of an unknown authority ends the conversation before anything is said.
    let unknown = format!(", security: starttls, user: robot, {file}");
    lab.configure("once.example.org", &unknown);
    let id = only_id(&lab);
    assert!(lab.run(&["outbox", "retry", &id]).status.success());
    let distrusted = lab.run(&["outbox", "send", &id]);
    assert!(text(&distrusted).contains("tries again from"), "{}", text(&distrusted));

    lab.configure("once.example.org", &login("robot", "password_env: ROBOT_PASSWORD"));
    assert!(lab.run(&["outbox", "retry", &id]).status.success());
    let sent = lab.command(&["outbox", "send", &id]).env("ROBOT_PASSWORD", "secret").output().unwrap();
    assert!(sent.status.success() && text(&sent).contains("took it for 2 of 2"), "{}", text(&sent));
    let mails = lab.deliver();
    let [mail] = mails.as_slice() else { panic!("{} mails", mails.len()) };
    assert!(mail.contains("with esmtpsa"), "it was not encrypted and logged in:\n{mail}");

    // The archive shows it under the cover letter.
    lab.archive(mail);
    let page = lab.page(&format!("{COVER}/"));
    // The archive draws a reply behind a backtick, indented under the mail it answers.
    let answer = format!("` <a\nhref=\"../orchestrator-{id}@once.example.org/\">");
    assert!(page.contains(&answer), "{page}");
    assert!(lab.page(&format!("orchestrator-{id}@once.example.org/raw")).contains("CLEAN: 1 patch"));

    // Nothing changed, nothing is sent; findings are a change.
    let again = lab.run(&["post", "--send"]);
    assert!(again.status.success() && text(&again).contains("nothing was sent"), "{}", text(&again));
    lab.add_run(false);
    assert!(text(&lab.run(&["post", "--send"])).contains("nothing was sent"));
    assert_eq!(lab.deliver().len(), 1);
    lab.add_run(true);
    let changed = lab.command(&["post", "--send"]).env("ROBOT_PASSWORD", "secret").output().unwrap();
    assert!(changed.status.success(), "{}", text(&changed));
    assert_eq!(lab.deliver().len(), 2);
}

/// Kills the program at each step in turn, then does what a nightly run and a person would do, and counts.
#[test]
#[ignore = "needs root, Exim and public-inbox"]
fn killed_between_any_two_steps_it_arrives_once() {
    let lab = MailLab::new(Secured::No);
    lab.add_run(false);
    let points = [
        "item-written",
        "item-kept",
        "record-written:1",
        "record-kept:1",
        "prepared",
        "accepted",
        "record-written:2",
        "record-kept:2",
    ];
    for (case, point) in points.into_iter().enumerate() {
        let domain = format!("case-{case}.example.org");
        lab.configure(&domain, PLAIN);
        let _ = std::fs::remove_dir_all(lab.results().join("outbox"));
        let killed = lab.command(&["post", "--send"]).env("ORCHESTRATOR_FAILPOINT", point).output().unwrap();
        assert_eq!(killed.status.signal(), Some(9), "{point}: {}", text(&killed));
        let taken = copies(&lab.deliver(), &domain).into_iter().cloned().collect::<Vec<String>>();
        taken.iter().for_each(|mail| lab.archive(mail));

        let first = lab.run(&["outbox", "send"]);
        let mut said = text(&first);
        if text(&lab.run(&["outbox"])).starts_with("nothing in") {
            assert_eq!(point, "item-written", "{said}");
            said = text(&lab.run(&["post", "--send"]));
        }
        if said.contains("uncertain") {
            // It was about to be handed over and the archive does not have it: a person decides.
            assert!(taken.is_empty() && ["record-kept:1", "prepared"].contains(&point), "{point}: {said}");
            let id = only_id(&lab);
            assert!(lab.run(&["outbox", "retry", &id]).status.success());
            said = text(&lab.run(&["outbox", "send", &id]));
        }
        let list = text(&lab.run(&["outbox"]));
        assert!(list.contains("  sent  "), "{point}: {said}\n{list}");
        assert_eq!(copies(&lab.deliver(), &domain).len(), 1, "{point}: {said}");
        let again = lab.run(&["post", "--send"]);
        assert!(text(&again).contains("nothing was sent"), "{point}: {}", text(&again));
        assert_eq!(copies(&lab.deliver(), &domain).len(), 1, "{point}");
        println!("{point}: taken before {}, then: {}", taken.len(), list.trim());
    }
}

#[test]
#[ignore = "needs root, Exim and public-inbox"]
fn each_recipient_has_its_own_answer() {
    let lab = MailLab::new(Secured::No);
    lab.add_run(false);
    lab.configure("parts.example.org", PLAIN);
    let named = ["--to", "author@example.org", "--cc", "refused@example.org", "--cc", "later@example.org"];
    let sent = lab.run(&[&["post", "--send"][..], &named].concat());
    assert_eq!(sent.status.code(), Some(2), "{}", text(&sent));
    let id = only_id(&lab);
    let shown = text(&lab.run(&["outbox", "show", &id]));
    for words in [
        "accepted author@example.org",
        "refused  refused@example.org: permanent error (550)",
        "not now  later@example.org",
    ] {
        assert!(shown.contains(words), "{words}:\n{shown}");
    }
    // Once more, and only to the one that said "not now".
    assert!(lab.run(&["outbox", "retry", &id]).status.success());
    let again = text(&lab.run(&["outbox", "send", &id]));
    assert!(again.contains("for no recipient now"), "{again}");
    assert_eq!(lab.deliver().len(), 1);
}

#[test]
#[ignore = "needs root, Exim, public-inbox and git send-email"]
fn git_send_email_keeps_the_thread() {
    let lab = MailLab::new(Secured::No);
    lab.add_run(true);
    lab.configure("git.example.org", PLAIN);
    let sent = lab
        .command(&["post", "--send", "--via", "git-send-email"])
        .env("GIT_CONFIG_GLOBAL", lab.git_configuration())
        .output()
        .unwrap();
    assert!(sent.status.success(), "{}", text(&sent));
    let mails = lab.deliver();
    let [mail] = mails.as_slice() else { panic!("{} mails", mails.len()) };
    let id = only_id(&lab);
    assert!(mail.contains(&format!("<orchestrator-{id}@git.example.org>")), "{mail}");
    assert!(
        mail.contains(&format!("In-Reply-To: <{COVER}>")) && mail.contains(&format!("References: <{COVER}>")),
        "{mail}"
    );
    assert!(!mail.contains("other@example.org"), "git's own configuration added somebody:\n{mail}");
    lab.archive(mail);
    assert!(lab.page(&format!("{COVER}/t/")).contains("Test robot"));
}
