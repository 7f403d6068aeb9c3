use camino::Utf8PathBuf;

use super::super::testing;
use super::*;

struct Lab {
    _dir: tempfile::TempDir,
    root: Utf8PathBuf,
    machine: QemuMachine,
}

/// A host whose QEMU is `script` and whose `/dev/kvm` is a plain file, when it has one.
fn lab(script: &str, kvm: bool) -> Lab {
    let dir = tempfile::tempdir().unwrap();
    let root = Utf8PathBuf::try_from(dir.path().to_owned()).unwrap();
    let mut machine = testing::qemu();
    machine.binary = root.join("qemu").into_string();
    testing::fake_qemu(&root.join("qemu"), &format!("echo x >> {root}/runs\n{script}"));
    if kvm {
        std::fs::write(root.join("kvm"), "").unwrap();
    }
    Lab { _dir: dir, root, machine }
}

impl Lab {
    async fn probe(&self) -> Result<AccelChoice, LabError> {
        let cancel = CancellationToken::new();
        probe_with(&self.root.join("kvm"), &self.root.join("cache"), &self.machine, &cancel).await
    }

    fn runs(&self) -> usize {
        std::fs::read_to_string(self.root.join("runs")).unwrap_or_default().lines().count()
    }
}

#[tokio::test]
async fn kvm_is_taken_when_a_guest_really_ran() {
    let lab = lab("exit 85", true);
    assert_eq!(lab.probe().await.unwrap().accel, Accel::Kvm);
    assert_eq!(lab.runs(), 1);
}

#[tokio::test]
async fn a_kvm_that_runs_nothing_is_not_taken_and_the_answer_is_remembered() {
    let lab = lab("case \"$*\" in *'-accel kvm'*) echo failed to set MSR >&2; exit 1;; esac; exit 85", true);
    let choice = lab.probe().await.unwrap();
    assert_eq!(choice.accel, Accel::Tcg);
    assert!(choice.reason.contains("failed to set MSR"), "{}", choice.reason);
    assert_eq!(lab.probe().await.unwrap(), choice);
    assert_eq!(lab.runs(), 2, "the second time nothing is run");
    // Another device: asked again.
    std::fs::remove_file(lab.root.join("kvm")).unwrap();
    assert!(lab.probe().await.unwrap().reason.contains("has no"));
    assert_eq!(lab.runs(), 3);
}

#[tokio::test]
async fn a_host_without_kvm_emulates() {
    let lab = lab("exit 85", false);
    let choice = lab.probe().await.unwrap();
    assert_eq!(choice.accel, Accel::Tcg);
    assert!(choice.reason.contains("has no") && choice.reason.contains("kvm"), "{}", choice.reason);
}

#[tokio::test]
async fn a_qemu_that_cannot_even_emulate_is_an_error() {
    let lab = lab("echo no such machine >&2; exit 1", false);
    let error = lab.probe().await.unwrap_err().to_string();
    assert!(error.contains("no such machine"), "{error}");
}

#[tokio::test]
async fn a_missing_qemu_is_named_with_its_package() {
    let mut lab = lab("", false);
    lab.machine.binary = "no-such-qemu".into();
    let error = lab.probe().await.unwrap_err().to_string();
    assert!(error.contains("no-such-qemu") && error.contains("apt-get install"), "{error}");
}

#[tokio::test]
async fn a_damaged_host_file_is_replaced() {
    let lab = lab("exit 85", false);
    std::fs::create_dir_all(lab.root.join("cache")).unwrap();
    std::fs::write(lab.root.join("cache/host.json"), "{").unwrap();
    lab.probe().await.unwrap();
    lab.probe().await.unwrap();
    assert_eq!(lab.runs(), 1);
}
