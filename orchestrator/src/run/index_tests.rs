use super::*;
use crate::report::fixtures;
use crate::run::testing;

/// Two runs: one with findings, one without a report.
fn results() -> (tempfile::TempDir, Utf8PathBuf, RunFolder, RunFolder) {
    let guard = tempfile::tempdir().unwrap();
    let results = Utf8PathBuf::from_path_buf(guard.path().to_owned()).unwrap();
    let one = testing::run_folder(&results, "a");
    one.write("report.json", fixtures::findings().to_json().as_bytes()).unwrap();
    let two = testing::run_folder(&results, "b");
    (guard, results, one, two)
}

fn all(results: &Utf8Path) -> Vec<RunRow> {
    runs(results, &Filter::default()).unwrap()
}

#[test]
fn the_index_says_what_the_folders_say() {
    let (_guard, results, one, two) = results();
    let expected = fixtures::findings();
    let rows = all(&results);
    assert_eq!(rows.iter().map(|row| &row.id).collect::<Vec<_>>(), [&one.run, &two.run]);
    assert_eq!(rows[0].verdict.as_deref(), Some("findings"));
    assert_eq!(rows[0].findings, expected.findings.len() as u64);
    assert_eq!((rows[0].wall_ms, rows[0].trees.as_slice()), (expected.timing.wall_ms, ["t".to_owned()].as_slice()));
    assert_eq!(rows[1].verdict, None);
    two.write("report.json", fixtures::clean().to_json().as_bytes()).unwrap();
    assert_eq!(all(&results)[1].verdict.as_deref(), Some("clean"));
    two.write("report.json", b"{").unwrap();
    assert_eq!(all(&results)[1].verdict.as_deref(), Some("unreadable"));
    fs_err::remove_dir_all(one.path()).unwrap();
    assert_eq!(all(&results).len(), 1);
}

#[test]
fn a_run_whose_own_file_is_damaged_is_told_too() {
    let (_guard, results, one, _) = results();
    one.write("run.json", b"{\"format\": 1, \"run\"").unwrap();
    let rows = all(&results);
    assert_eq!(
        (rows.len(), rows[0].id.as_str(), rows[0].verdict.as_deref()),
        (2, one.run.as_str(), Some("unreadable"))
    );
}

#[test]
fn findings_can_be_asked_for_with_sql() {
    let (_guard, results, one, _) = results();
    refresh(&results).unwrap();
    let connection = Connection::open(results.join(FILE)).unwrap();
    let ask = "SELECT number, kind, summary FROM findings WHERE run = ?1 AND severity = 'problem' ORDER BY number";
    let first: (i64, String, String) =
        connection.query_row(ask, [&one.run], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    let expected = &fixtures::findings().findings[0];
    assert_eq!(first, (1, word(&expected.kind), expected.summary.clone()));
}

#[test]
fn runs_are_chosen_by_series_and_day() {
    let (_guard, results, one, _) = results();
    let chosen = |series: Option<&str>, since: Option<&str>| {
        let filter = Filter { series: series.map(str::to_owned), since: since.map(str::to_owned) };
        runs(&results, &filter).unwrap().len()
    };
    assert_eq!((chosen(Some("a"), None), chosen(Some("v6"), None), chosen(Some("c"), None)), (1, 2, 0));
    let day = one.started.split('T').next();
    assert_eq!((chosen(None, day), chosen(None, Some("9999-01-01"))), (2, 0));
}

#[test]
fn an_index_that_is_missing_damaged_or_of_another_version_is_made_anew() {
    let (_guard, results, ..) = results();
    let file = results.join(FILE);
    let expected = all(&results);
    let spoil: [(&str, &dyn Fn()); 5] = [
        ("missing", &|| fs_err::remove_file(&file).unwrap()),
        ("no database", &|| fs_err::write(&file, "not a database, and longer than its header is: ".repeat(9)).unwrap()),
        ("cut off", &|| fs_err::OpenOptions::new().write(true).open(&file).unwrap().set_len(5000).unwrap()),
        ("another version", &|| {
            let connection = Connection::open(&file).unwrap();
            connection.execute_batch("PRAGMA user_version = 99; ALTER TABLE runs RENAME COLUMN title TO name").unwrap();
        }),
        ("other tables", &|| Connection::open(&file).unwrap().execute_batch("DROP TABLE runs").unwrap()),
    ];
    for (name, spoil) in spoil {
        spoil();
        assert_eq!(all(&results), expected, "{name}");
        assert_eq!(all(&results), expected, "{name}, once more");
        assert!(file.is_file(), "{name}");
    }
}

#[test]
fn an_index_that_cannot_be_written_is_made_in_memory() {
    let (_guard, results, ..) = results();
    fs_err::create_dir(results.join(FILE)).unwrap();
    assert_eq!(all(&results).len(), 2);
}

#[test]
fn several_processes_may_use_it_at_once() {
    let (_guard, results, ..) = results();
    let expected = all(&results);
    fs_err::remove_file(results.join(FILE)).unwrap();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| all(&results))).collect();
        for thread in threads {
            assert_eq!(thread.join().unwrap(), expected);
        }
    });
}
