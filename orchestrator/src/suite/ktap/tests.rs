use proptest::prelude::*;

use super::*;

fn read(text: &str) -> Ktap {
    parse(text.lines())
}

fn problems(text: &str) -> Vec<String> {
    read(text).problems.iter().map(ToString::to_string).collect()
}

fn brief(doc: &Ktap) -> Vec<(bool, u32, &str, Option<Directive>, &str)> {
    doc.results.iter().map(|r| (r.ok, r.number, r.name.as_str(), r.directive, r.detail.as_str())).collect()
}

/// What `hmm-tests` prints, stdout and stderr together.
const HARNESS: &str = "\
[INFO] detected THP size: 2048 KiB
TAP version 13
1..4
# Starting 4 tests from 2 test cases.
#  RUN           hmm.hmm_device_private.open_close ...
#            OK  hmm.hmm_device_private.open_close
ok 1 hmm.hmm_device_private.open_close
#  RUN           hmm.hmm_device_coherent.open_close ...
#      SKIP      DEVICE_COHERENT not available
#            OK  hmm.hmm_device_coherent.open_close
ok 2 hmm.hmm_device_coherent.open_close # SKIP DEVICE_COHERENT not available
#  RUN           hmm.hmm_device_private.exclusive ...
# hmm-tests.c:1747:exclusive:Expected ret (-16) == 0 (0)
# exclusive: Test terminated by assertion
#          FAIL  hmm.hmm_device_private.exclusive
not ok 3 hmm.hmm_device_private.exclusive
#  RUN           hmm2.hmm2_device_private.double_map ...
#            OK  hmm2.hmm2_device_private.double_map
ok 4 hmm2.hmm2_device_private.double_map
# FAILED: 3 / 4 tests passed.
# Totals: pass:2 fail:1 xfail:0 xpass:0 skip:1 error:0
";

#[test]
fn the_harness_output() {
    let doc = read(HARNESS);
    assert_eq!(doc.problems, []);
    assert_eq!(doc.version.as_deref(), Some("TAP version 13"));
    assert_eq!(doc.plan, Some(Plan { count: 4, skip: None }));
    assert_eq!(
        brief(&doc),
        [
            (true, 1, "hmm.hmm_device_private.open_close", None, ""),
            (true, 2, "hmm.hmm_device_coherent.open_close", Some(Directive::Skip), "DEVICE_COHERENT not available"),
            (false, 3, "hmm.hmm_device_private.exclusive", None, ""),
            (true, 4, "hmm2.hmm2_device_private.double_map", None, ""),
        ]
    );
    assert_eq!(doc.results[2].diagnostics[1], "# hmm-tests.c:1747:exclusive:Expected ret (-16) == 0 (0)");
    assert_eq!(doc.diagnostics[0], "[INFO] detected THP size: 2048 KiB");
    assert_eq!(doc.diagnostics.last().unwrap(), "# Totals: pass:2 fail:1 xfail:0 xpass:0 skip:1 error:0");
}

#[test]
fn carriage_returns_do_not_matter() {
    let doc = parse(["TAP version 13\r", "1..1\r", "ok 1 a\r"]);
    assert_eq!((doc.problems, doc.results[0].name.as_str()), (vec![], "a"));
}

#[test]
fn nested_by_two_spaces_and_a_version_line() {
    let doc = read(
        "KTAP version 1\n1..2\n  KTAP version 1\n  1..2\n    KTAP version 1\n    1..1\n    # init\n    ok 1 leaf\n  \
         ok 1 mid\n  not ok 2 other\n# all failed\nnot ok 1 top\nok 2 flat # SKIP why\n",
    );
    assert_eq!(doc.problems, []);
    assert_eq!(brief(&doc), [(false, 1, "top", None, ""), (true, 2, "flat", Some(Directive::Skip), "why")]);
    let mid = doc.results[0].nested.as_ref().unwrap();
    assert_eq!(brief(mid), [(true, 1, "mid", None, ""), (false, 2, "other", None, "")]);
    let leaf = mid.results[0].nested.as_ref().unwrap();
    assert_eq!(brief(leaf), [(true, 1, "leaf", None, "")]);
    assert_eq!(leaf.results[0].diagnostics, ["    # init"]);
    assert_eq!(doc.results[0].diagnostics, ["# all failed"]);
}

#[test]
fn nested_under_a_subtest_line_with_foreign_lines_in_between() {
    let doc = read(
        "TAP version 14\n1..2\n\t# Subtest: one\n\t1..2\nsome driver says hello\n\tok 1 - a\n\t\t# Subtest: deep\n\t\t1..1\n\
         \t\tok 1 - x\n\tok 2 - deep\nok 1 - one\n    # Subtest: two\n    1..1\n    ok 1 - b\nok 2 - two\n",
    );
    assert_eq!(doc.problems, []);
    assert_eq!(brief(&doc), [(true, 1, "one", None, ""), (true, 2, "two", None, "")]);
    assert_eq!(doc.results[0].nested.as_ref().unwrap().results[1].nested.as_ref().unwrap().results[0].name, "x");
    assert_eq!(doc.results[0].diagnostics, ["some driver says hello"]);
}

#[test]
fn a_subtest_line_after_its_own_version_line_opens_nothing_new() {
    let doc = read("KTAP version 1\n1..1\n  KTAP version 1\n  # Subtest: s\n  # module: m\n  1..1\n  ok 1 t\nok 1 s\n");
    assert_eq!(doc.problems, []);
    assert_eq!(doc.results[0].nested.as_ref().unwrap().results.len(), 1);
}

#[test]
fn nested_by_the_kselftest_runner() {
    let doc = read(
        "TAP version 13\n1..2\n# timeout set to 45\n# selftests: mm: first\n# TAP version 13\n# 1..2\n# ok 1 a\n# # note\n\
         # not ok 2 b\nnot ok 1 selftests: mm: first # exit=1\n# selftests: mm: second\n# hello\nok 2 selftests: mm: second\n",
    );
    assert_eq!(doc.problems, []);
    assert_eq!(
        brief(&doc),
        [(false, 1, "selftests: mm: first", None, "exit=1"), (true, 2, "selftests: mm: second", None, "")]
    );
    let nested = doc.results[0].nested.as_ref().unwrap();
    assert_eq!(brief(nested), [(true, 1, "a", None, ""), (false, 2, "b", None, "")]);
    assert!(doc.results[1].nested.is_none());
}

#[test]
fn a_program_without_a_version_line_is_read_where_the_runner_names_it() {
    let doc = read(
        "TAP version 13\n1..2\n# selftests: timens: timens\n# 1..2\n# ok 1 a\n# ok 2 # SKIP no\nok 1 selftests: timens: timens\n\
                    # selftests: timens: words\n# retries:\n# 1..2\nok 2 selftests: timens: words\n",
    );
    assert_eq!(doc.problems, []);
    assert_eq!(doc.results[0].nested.as_ref().map(|nested| nested.results.len()), Some(2));
    assert_eq!(doc.results[1].nested, None, "only the first line of a program is its plan");
    let cut = problems("TAP version 13\n1..1\n# selftests: a: b\n# 1..2\n# ok 1 a\nok 1 selftests: a: b\n");
    assert_eq!(cut, ["1 of 2 planned results in \"selftests: a: b\""]);
}

#[test]
fn a_kunit_test_with_parameters_counts_them_afterwards() {
    let with = |total: &str| {
        problems(&format!(
            "KTAP version 1\n1..1\n    KTAP version 1\n    # Subtest: s\n    1..1\n        KTAP version 1\n        # Subtest: p\n\
             \x20       ok 1 a\n        ok 2 b\n{total}    ok 1 p\nok 1 s\n"
        ))
    };
    assert_eq!(with("    # p: pass:2 fail:0 skip:0 total:2\n"), Vec::<String>::new());
    for wrong in ["", "    # p: pass:3 fail:0 skip:0 total:3\n", "    # q: pass:2 fail:0 skip:0 total:2\n"] {
        assert_eq!(with(wrong), ["no plan in \"s.p\""], "{wrong}");
    }
}

#[test]
fn incomplete_or_ambiguous_results_are_problems() {
    let table: [(&str, &[&str]); 16] = [
        ("", &["no KTAP version line in 0 lines of output"]),
        ("1..1\nok 1 a\n", &["no KTAP version line in 2 lines of output"]),
        ("  TAP version 13\n  1..1\n  ok 1 a\n", &["no KTAP version line in 3 lines of output"]),
        ("TAP version 13\n", &["no plan"]),
        ("TAP version 13\nok 1 a\n", &["no plan"]),
        ("TAP version 13\n1..3\nok 1 a\nok 2 b\n", &["2 of 3 planned results"]),
        ("TAP version 13\n1..1\nok 1 a\nok 2 b\n", &["2 results, but only 1 planned"]),
        ("TAP version 13\n1..2\nok 1 a\nok 1 a\n", &["line 4: a second result with number 1"]),
        ("TAP version 13\n1..2\nok 1 a\nok 3 c\n", &["line 4: result number 3 where 2 should come"]),
        ("TAP version 13\n1..1\n1..1\nok 1 a\n", &["line 3: a second plan"]),
        ("TAP version 13\n1..1\nTAP version 13\nok 1 a\n", &["line 3: a second version line"]),
        ("TAP version 13\nBail out! no memory\n", &["bail out: no memory"]),
        ("TAP version 13\n1..2\nok 1 a\nBail out! x\n", &["bail out: x", "1 of 2 planned results"]),
        (
            "KTAP version 1\n1..1\n  KTAP version 1\n  1..2\n  ok 1 a\nok 1 top\n",
            &["1 of 2 planned results in \"top\""],
        ),
        (
            "KTAP version 1\n1..1\n  KTAP version 1\n  1..1\n  not ok 1 a\nok 1 top\n",
            &["\"top\" passes although its nested test \"a\" failed"],
        ),
        (
            "KTAP version 1\n1..1\n  KTAP version 1\n  1..1\n  ok 1 a\n",
            &["nested results without a result line of their parent", "0 of 1 planned results"],
        ),
    ];
    for (text, expected) in table {
        assert_eq!(problems(text), expected, "{text}");
    }
}

#[test]
fn a_problem_of_nested_results_says_where() {
    let nested = |lines: &str| {
        let lines: String = lines.lines().map(|line| format!("    {line}\n")).collect();
        problems(&format!(
            "KTAP version 1\n1..1\n  KTAP version 1\n  1..1\n    KTAP version 1\n{lines}  ok 1 inner\nok 1 outer\n"
        ))
    };
    let table = [
        ("ok 1 a\n", "no plan in \"outer.inner\""),
        ("1..1\n1..1\nok 1 a\n", "line 7: a second plan in \"outer.inner\""),
        ("1..1\nok 1 a\nok 2 b\n", "2 results, but only 1 planned in \"outer.inner\""),
        ("1..2\nok 1 a\n", "1 of 2 planned results in \"outer.inner\""),
        ("1..2\nok 1 a\nok 1 a\n", "line 8: a second result with number 1 in \"outer.inner\""),
        ("1..2\nok 1 a\nok 3 c\n", "line 8: result number 3 where 2 should come in \"outer.inner\""),
    ];
    for (lines, expected) in table {
        assert_eq!(nested(lines), [expected], "{lines}");
    }
}

#[test]
fn a_console_that_ends_in_a_panic_is_cut_off() {
    let text = "TAP version 14\n1..2\n\t# Subtest: one\n\t1..1\n\tok 1 - a\nok 1 - one\n\t# Subtest: two\n\t1..2\n\
                \tok 1 - b\nKernel panic - not syncing: stop\n";
    assert_eq!(
        problems(text),
        ["1 of 2 planned results", "nested results without a result line of their parent", "1 of 2 planned results"]
    );
}

#[test]
fn endless_nesting_is_refused() {
    let mut text = String::from("KTAP version 1\n1..1\n");
    for depth in 1..100 {
        text.push_str(&" ".repeat(depth));
        text.push_str("KTAP version 1\n");
    }
    assert!(problems(&text).iter().any(|p| p.contains("nested deeper than 16 levels")));
}

#[test]
fn a_plan_of_nothing_with_a_reason() {
    let doc = read("TAP version 13\n1..0 # SKIP not root\n");
    assert_eq!(doc.problems, []);
    assert_eq!(doc.plan.unwrap().skip.as_deref(), Some("not root"));
}

proptest! {
    #[test]
    fn whatever_is_printed_is_read(lines in proptest::collection::vec(
        prop_oneof![
            "[ \t#]{0,4}(KTAP version 1|TAP version 13)",
            "[ \t#]{0,4}1\\.\\.[0-9]{1,11}",
            "[ \t#]{0,4}(not )?ok [0-9]{0,11} ?[a-z]{0,3}( # (SKIP|TODO|huh) x)?",
            "[ \t]{0,4}# Subtest: x",
            "\\PC{0,20}",
        ],
        0..60,
    )) {
        let doc = parse(lines.iter().map(String::as_str));
        let complete = doc.plan.as_ref().is_some_and(|plan| plan.count as usize == doc.results.len());
        prop_assert!(complete || !doc.problems.is_empty());
    }

    /// Cutting a good document anywhere but after its last result is noticed.
    #[test]
    fn every_cut_is_noticed(count in 1u32..20, at in 0usize..100) {
        let mut lines = vec!["TAP version 13".to_owned(), format!("1..{count}")];
        lines.extend((1..=count).map(|n| format!("ok {n} test_{n}")));
        prop_assert_eq!(parse(lines.iter().map(String::as_str)).problems, vec![]);
        let at = at % lines.len();
        prop_assert!(!parse(lines[..at].iter().map(String::as_str)).problems.is_empty());
    }
}
