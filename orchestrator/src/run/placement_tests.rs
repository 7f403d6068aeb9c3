//! Kconfigs, machines and suites of all sorts.

use super::*;
use crate::run::testing;
use crate::words::{Clock, testing::kconfig as plain};

fn tags(text: &str) -> Tags {
    let pair = |pair: &str| pair.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned())).unwrap();
    text.split_whitespace().map(pair).collect()
}

/// A guest with these tags.
fn guest(name: &str, arch: &str, has: &str) -> Machine {
    let mut machine = Machine { name: name.into(), tags: tags(has), ..testing::machine() };
    let crate::words::Hardware::Qemu(qemu) = &mut machine.hardware else { panic!("no guest") };
    qemu.arch = arch.into();
    machine
}

fn suites() -> BTreeMap<String, Suite> {
    let home = camino::Utf8Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let suite = |name: &str, needs: &str| {
        let suite = Suite { name: name.into(), needs: tags(needs), ..lab::suite(home, "hmm").unwrap() };
        (name.to_owned(), suite)
    };
    [suite("hmm", ""), suite("gpu-svm", "gpu=xe"), suite("bench", "cpus=64")].into()
}

/// A kconfig of kind boot with these needs and this machine.
fn kconfig(name: &str, arch: &str, machine: Option<&str>, needs: &str) -> Kconfig {
    let mut kconfig = Kconfig { arch: arch.into(), ..plain(name, Kind::Boot) };
    let spec = kconfig.boot.as_mut().unwrap();
    spec.machine = machine.map(str::to_owned);
    spec.needs = tags(needs);
    spec.suites = vec!["hmm".into(), "gpu-svm".into()];
    spec.benchmarks = vec!["bench".into()];
    kconfig
}

/// Labels of all places with their suites, and all gaps.
fn placed(kconfig: Kconfig, options: &Options) -> (Vec<String>, Vec<String>) {
    let machines = [
        guest("qemu-x86_64", "x86_64", ""),
        guest("big", "x86_64", "gpu=xe size=large"),
        guest("qemu-arm64", "arm64", "size=large"),
    ];
    let plan = plan(&[kconfig], options, &machines, &suites());
    let place = |place: &Placement| {
        let spec = place.kconfig.boot.as_ref().unwrap();
        assert_eq!(spec.machine(), place.machine.name);
        assert!(spec.needs.is_empty());
        format!("{} {}", place.label, spec.suites.join("+"))
    };
    (
        plan.places.iter().map(place).collect(),
        plan.gaps.iter().map(|gap| format!("{}: {}", gap.what, gap.why)).collect(),
    )
}

#[test]
fn a_kconfig_boots_on_its_own_machine_and_says_what_does_not_run_there() {
    let options = Options { clocks: vec![Clock::Wall], ..testing::options() };
    let (places, gaps) = placed(kconfig("hmm", "x86_64", Some("qemu-x86_64"), ""), &options);
    assert_eq!(places, ["hmm hmm"]);
    assert_eq!(
        gaps,
        [
            "suite gpu-svm on qemu-x86_64: suite gpu-svm needs gpu: xe; qemu-x86_64 has none",
            "suite bench on qemu-x86_64: suite bench needs cpus: 64; qemu-x86_64 has 2"
        ]
    );
    // Nobody asked for these.
    let options = Options { tests: vec!["hmm.a.b".into()], ..testing::options() };
    assert!(placed(kconfig("hmm", "x86_64", Some("qemu-x86_64"), ""), &options).1.is_empty());
    let none = Options { no_boot: true, ..testing::options() };
    assert_eq!(placed(kconfig("hmm", "x86_64", Some("qemu-x86_64"), ""), &none), (vec![], vec![]));
}

#[test]
fn without_a_machine_of_its_own_the_first_that_fits_is_taken() {
    let at = |arch: &str, needs: &str| placed(kconfig("k", arch, None, needs), &testing::options());
    assert_eq!(at("x86_64", "").0, ["k hmm"]);
    assert_eq!(at("x86_64", "gpu=xe"), (vec!["k hmm+gpu-svm".to_owned()], vec![]));
    assert_eq!(at("arm64", "size=large").0, ["k hmm"]);
    let (places, gaps) = at("arm64", "gpu=xe");
    assert!(places.is_empty());
    assert_eq!(
        gaps,
        ["boots of kconfig k: no machine in lab/ has arch: arm64, gpu: xe; a file in lab/ that has would be used"]
    );
}

#[test]
fn the_command_line_comes_first_and_other_machines_have_names_of_their_own() {
    let own = || kconfig("hmm", "x86_64", Some("qemu-x86_64"), "");
    let on = |machines: &[&str], with: &str| Options {
        machines: machines.iter().map(|name| (*name).to_owned()).collect(),
        machines_with: tags(with),
        tests: vec!["hmm".into()],
        ..testing::options()
    };
    assert_eq!(placed(own(), &on(&["big"], "")).0, ["hmm/on-big hmm+gpu-svm"]);
    assert_eq!(placed(own(), &on(&["big", "qemu-x86_64"], "")).0, ["hmm hmm", "hmm/on-big hmm+gpu-svm"]);
    assert_eq!(placed(own(), &on(&[], "arch=x86_64")).0.len(), 2);
    let (places, gaps) = placed(own(), &on(&[], "size=large"));
    assert_eq!(places, ["hmm/on-big hmm+gpu-svm"]);
    assert_eq!(gaps, ["boots of kconfig hmm on qemu-arm64: hmm is for x86_64; qemu-arm64 boots arm64"]);
    let (places, gaps) = placed(own(), &on(&[], "size=tiny"));
    assert_eq!((places.len(), gaps), (0, vec!["boots of kconfig hmm: no machine in lab/ has size: tiny".to_owned()]));
    // What the kconfig needs, the machine of the command line must have, too.
    let (places, gaps) = placed(kconfig("k", "x86_64", None, "gpu=xe"), &on(&["qemu-x86_64", "big"], ""));
    assert_eq!(places, ["k hmm+gpu-svm"]);
    assert_eq!(gaps, ["boots of kconfig k on qemu-x86_64: kconfig k needs gpu: xe; qemu-x86_64 has none"]);
}

#[test]
fn only_the_machines_that_are_asked_for_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let root = camino::Utf8Path::from_path(folder.path()).unwrap();
    for name in ["series", "kconfigs", "lab/suites"] {
        fs_err::create_dir_all(root.join(name)).unwrap();
    }
    let shipped = camino::Utf8Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("lab");
    for file in ["qemu-x86_64.yaml", "suites/hmm.yaml"] {
        fs_err::copy(shipped.join(file), root.join("lab").join(file)).unwrap();
    }
    fs_err::write(root.join("lab/broken.yaml"), "name: other\n").unwrap();
    let home = Home::find(Some(root), root, root).unwrap();
    let mut hmm = kconfig("hmm", "x86_64", Some("qemu-x86_64"), "");
    hmm.boot.as_mut().unwrap().suites = vec!["hmm".into()];
    hmm.boot.as_mut().unwrap().benchmarks.clear();
    let place = |kconfig: &Kconfig, options: &Options| place(&home, std::slice::from_ref(kconfig), options);
    assert_eq!(place(&hmm, &testing::options()).unwrap().places.len(), 1);
    let error = |kconfig: &Kconfig, machines: &[&str]| {
        let machines = machines.iter().map(|name| (*name).to_owned()).collect();
        place(kconfig, &Options { machines, ..testing::options() }).unwrap_err().to_string()
    };
    assert_eq!(error(&hmm, &["qemu-x86-64"]), "there is no machine `qemu-x86-64` in lab/; did you mean `qemu-x86_64`?");
    assert!(error(&hmm, &["broken"]).contains("broken.yaml:1:"));
    hmm.boot.as_mut().unwrap().machine = None;
    assert!(error(&hmm, &[]).contains("broken.yaml:1:"), "every machine may be the one");
    hmm.boot.as_mut().unwrap().machine = Some("gone".into());
    assert!(error(&hmm, &["qemu-x86_64"]).contains("gone.yaml"));
}
