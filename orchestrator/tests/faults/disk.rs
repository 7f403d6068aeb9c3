//! Disks that are full, or can only be read.

use super::checks;
use super::known::{Known, can_mount, line_with, row};
use super::stage::read_json;

/// The folder of runs fills up at many points of a run.
pub fn results_fill_up(known: &Known) {
    if !can_mount() {
        return;
    }
    let mut tries = 0;
    let mut full = 0;
    let mut saw = String::new();
    for kib in [4, 16, 32, 48, 64, 80, 96, 128, 160, 192, 256, 320, 384, 448, 512, 768, 1024] {
        known.fresh_results();
        let ended = known.mounted(&format!(
            r#"mkdir -p "$RESULTS"; mount -t tmpfs -o size={kib}k tmpfs "$RESULTS" || exit 99
            TEST; echo $? > "$FILES/first"
            mount -o remount,size=256m "$RESULTS" || exit 99
            if [ -e "$RESULTS/latest/run.json" ]; then resume; else TEST; fi; echo $? > "$FILES/second"
            cp "$RESULTS/latest/report.json" "$FILES/report.json""#
        ));
        assert_ne!(ended.code, Some(99), "{}", ended.said);
        let code = |name: &str| std::fs::read_to_string(known.kept(name)).unwrap().trim().parse::<i32>().unwrap();
        tries += 1;
        match code("first") {
            // It fitted.
            1 => {}
            2 => {
                full += 1;
                saw = line_with(&ended, "No space left on device");
            }
            other => panic!("{kib} KiB: exit code {other}\n{}", ended.said),
        }
        assert_eq!(code("second"), 1, "{kib} KiB: {}", ended.said);
        super::essence::same(&known.report, &read_json(&known.kept("report.json")));
    }
    assert!(full > 3, "only {full} of {tries} were full");
    row("disk of the results full", tries, &saw);
}

/// The cache fills up while guests are booted.
pub fn cache_fills_up(known: &Known) {
    if !can_mount() {
        return;
    }
    let sizes = ["32k", "128k", "512k", "1m", "2m", "3m", "4m", "6m"];
    let mut full = 0;
    let mut saw = String::new();
    for size in sizes {
        known.forget("boots");
        let ended = known.mounted(&overlay(size, "TEST"));
        match ended.code {
            // It fitted.
            Some(1) => {}
            Some(2) => {
                full += 1;
                saw = line_with(&ended, "No space left on device");
            }
            other => panic!("{size}: {other:?}\n{}", ended.said),
        }
        let resumed = if known.results().join("latest").exists() { known.resume() } else { known.again() };
        assert_eq!(resumed.code, Some(1), "{size}: {}", resumed.said);
        known.says_the_same();
    }
    assert!(full > 2, "only {full} of {} were full", sizes.len());
    row("disk of the cache full while guests boot", sizes.len(), &saw);
}

/// The cache is nearly full when a build begins.
pub fn no_room_for_a_build(known: &Known) {
    if !can_mount() {
        return;
    }
    known.forget("builds");
    let ended = known.mounted(&overlay("64m", "TEST"));
    assert_eq!(ended.code, Some(2), "{}", ended.said);
    let saw = line_with(&ended, "the disk is nearly full");
    let resumed = known.resume();
    assert_eq!(resumed.code, Some(1), "{}", resumed.said);
    known.is_the_same();
    row("no room for a build", 1, &saw);
}

/// A script whose cache can take so much, and forgets it.
fn overlay(size: &str, script: &str) -> String {
    format!(
        r#"mkdir -p "$FILES/upper"; mount -t tmpfs -o size={size} tmpfs "$FILES/upper" || exit 99
        mkdir "$FILES/upper/u" "$FILES/upper/w"
        mount -t overlay -o "lowerdir=$CACHE,upperdir=$FILES/upper/u,workdir=$FILES/upper/w" overlay "$CACHE" || exit 99
        {script}"#
    )
}

/// A damaged tree repository is named with what helps; the fault is forgotten afterwards.
pub fn damaged_pack(known: &Known) {
    if !can_mount() {
        return;
    }
    known.forget("builds");
    let damage = r#"
        for pack in "$CACHE"/trees/linux-6.12.git/objects/pack/*.pack; do
            size=$(stat -c %s "$pack")
            for part in 1 2 3 4 5 6 7 8 9; do
                dd if=/dev/zero of="$pack" bs=1 seek=$((size * part / 10)) count=4096 conv=notrunc status=none
            done
        done
        rm -f "$CACHE"/work/linux-6.12/src.state
        TEST"#;
    let ended = known.mounted(&overlay("2g", damage));
    let saw = match ended.code {
        Some(2) => line_with(&ended, "git"),
        // What was damaged is not what the run reads.
        Some(1) => "nothing: the damaged objects were not needed".to_owned(),
        other => panic!("{other:?}: {}", ended.said),
    };
    let resumed = known.resume();
    assert_eq!(resumed.code, Some(1), "{}", resumed.said);
    known.says_the_same();
    row("objects of the tree overwritten", 1, &saw);
}

/// Folders that can only be read.
pub fn read_only(known: &Known) {
    if !can_mount() {
        return;
    }
    let bind =
        |place: &str| format!(r#"mount --bind "{place}" "{place}" && mount -o remount,ro,bind "{place}" || exit 99"#);
    let mut tries = 0;
    for (place, name) in [("$RESULTS", "results"), ("$CACHE", "cache")] {
        let mut saw = String::new();
        // A run that is begun, one that is gone on with, and one whose boots are still to be had.
        for (word, forget) in [("TEST", false), ("resume", false), ("TEST", true), ("resume", true)] {
            known.fresh_results();
            if forget {
                known.forget("boots");
            }
            std::fs::create_dir_all(known.results()).unwrap();
            if word == "resume" {
                interrupted(known);
            }
            let ended = known.mounted(&format!("{}\n{word}", bind(place)));
            match ended.code {
                Some(2) => saw = line_with(&ended, "Read-only file system"),
                // With everything known nothing need be written to the cache.
                Some(1) if name == "cache" && !forget => {}
                other => panic!("read-only {name}, {word}: {other:?}\n{}", ended.said),
            }
            tries += 1;
            let again = if known.results().join("latest").exists() { known.resume() } else { known.again() };
            assert_eq!(again.code, Some(1), "{}", again.said);
            known.is_the_same();
        }
        row(&format!("{name} read-only"), tries, &saw);
        tries = 0;
    }
    checks::no_leftovers(known);
}

/// Leaves a run that was stopped before its report.
fn interrupted(known: &Known) {
    let ended = known.again();
    let run = known.latest();
    assert!(run.join("report.json").exists(), "{}", ended.said);
    for name in ["report.json", "report.html", "report.md", "junit.xml"] {
        std::fs::remove_file(run.join(name)).unwrap();
    }
}
