//! Matrix files, good and bad.

use super::*;
use crate::words::Profile;

fn read(text: &str) -> Result<Vec<Kconfig>, ConfigError> {
    let fragments =
        [("guest.config", "CONFIG_SMP=y\n"), ("hmm.config", "CONFIG_TEST_HMM=y\n"), ("bad.config", "\nCONFG=y\n")];
    let fragments = fragments.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
    parse_matrix("kconfigs/matrix.yaml".into(), text, &fragments)
}

const HMM: &str = "kconfigs:
  hmm:
    about: the smallest
    kind: boot
    profile: quick
    base: tinyconfig
    fragments: [guest.config, hmm.config]
    require: {HMM_MIRROR: y, DEVICE_PRIVATE: n}
    boot: {memory_mib: 3072, suites: [hmm]}
";

#[test]
fn entries_are_completed_and_keep_their_order() {
    let text = format!(
        "{HMM}  a-debug:\n    like: hmm\n    profile: full\n    make: [W=1]\n  b-link:\n    like: a-debug\n    kind: link\n"
    );
    let found = read(&text).unwrap();
    let names: Vec<_> = found.iter().map(|kconfig| kconfig.name.as_str()).collect();
    assert_eq!(names, ["hmm", "a-debug", "b-link"]);
    assert_eq!(found[0].arch, "x86_64");
    assert_eq!(found[0].toolchain, "gcc");
    assert_eq!(found[0].fragments[1].text, "CONFIG_TEST_HMM=y\n");
    assert_eq!(found[0].boot.as_ref().unwrap().cpus, 2);
    assert_eq!(found[1].profile, Profile::Full);
    assert_eq!(found[1].about, "the smallest");
    assert_eq!(found[1].make, ["W=1"]);
    assert_eq!(found[2].make, ["W=1"]);
    assert_eq!(found[2].boot, None, "an inherited boot means nothing for a link");
}

#[test]
fn all_mistakes_are_named_at_once_with_their_lines() {
    let text = format!(
        "{HMM}  one:
    like: hnm
  two:
    like: three
  three:
    like: two
  four:
    kind: link
    profile: quick
    base: tiny
    fragments: [guest.conf, bad.config]
    boot: {{}}
    make: [W1, ARCH=arm64]
  five:
    like: hmm
    base: randconfig
    require: {{CONFIG_X: y}}
  six:
    like: hmm
    seed: 7
  SEVEN:
    like: one
"
    );
    let error = read(&text).unwrap_err().to_string();
    insta::assert_snapshot!(error, @r"
    kconfigs/bad.config:2:1: `CONFG=y` is no line of a kernel configuration (write CONFIG_NAME=value or # CONFIG_NAME is not set)
    kconfigs/matrix.yaml:11:5: there is no kconfig `hnm` (did you mean `hmm`?)
    kconfigs/matrix.yaml:13:5: it is like itself: two -> three -> two (write one of them out)
    kconfigs/matrix.yaml:15:5: it is like itself: three -> two -> three (write one of them out)
    kconfigs/matrix.yaml:16:3: the key `about` is missing in four
    kconfigs/matrix.yaml:19:5: `tiny` is no configuration target of make (for example tinyconfig, defconfig, allmodconfig)
    kconfigs/matrix.yaml:20:17: there is no fragment `guest.conf` (did you mean `guest.config`?)
    kconfigs/matrix.yaml:21:5: four has a `boot` but is not of kind boot (remove it, or make it `kind: boot`)
    kconfigs/matrix.yaml:22:12: `W1` is no make variable (write NAME=value)
    kconfigs/matrix.yaml:22:16: `ARCH=arm64`: ARCH is not yours to set (use `arch`, `toolchain` or `cross_compile`)
    kconfigs/matrix.yaml:23:3: `CONFIG_X` in five (leave `CONFIG_` away)
    kconfigs/matrix.yaml:25:5: five is a randconfig and needs a `seed` (without it no two builds are of the same kernel)
    kconfigs/matrix.yaml:29:5: six has a `seed` but is no randconfig (remove it, or make the base randconfig)
    kconfigs/matrix.yaml:30:3: `SEVEN` cannot be the name of a kconfig (use small letters, digits and -)
    ");
}

#[test]
fn a_kconfig_names_its_machine_or_says_what_any_must_have() {
    let read_boot = |boot: &str| read(&HMM.replace("memory_mib: 3072", boot));
    let spec = read_boot("needs: {gpu: xe, numa: 2}").unwrap()[0].boot.clone().unwrap();
    assert_eq!((spec.machine.as_deref(), spec.needs["numa"].as_str()), (None, "2"));
    let error = read_boot("machine: m, needs: {gpu: xe}").unwrap_err().to_string();
    assert!(error.contains("matrix.yaml:9:") && error.contains("keep one of the two"), "{error}");
}

#[test]
fn unknown_keys_and_words_are_refused() {
    let error = read("kconfigs:\n  a:\n    knid: boot\n    profile: quik\n").unwrap_err().to_string();
    assert!(error.contains("did you mean `kind`?") && error.contains("did you mean `quick`?"), "{error}");
    let error = read("kconfigs: {}\n").unwrap_err().to_string();
    assert!(error.contains("there is no kconfig"), "{error}");
}

#[test]
fn the_shipped_matrix_is_sound() {
    let folder = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let home = Home::find(Some(&folder), &folder, &folder).unwrap();
    let found = matrix(&home).unwrap();
    let quick: Vec<_> = found.iter().filter(|k| k.profile == Profile::Quick).map(|k| k.name.as_str()).collect();
    assert!(quick.contains(&"hmm") && quick.contains(&"no-hmm-mirror"), "{quick:?}");
}
