//! How a test kernel is started from the default kernel: scripts and files, nothing more.

use camino::Utf8Path;

use super::files::write;
use super::send::RUN;
use crate::process::quote;
use crate::words::{BootMethod, DutBoot};

/// Name of the kernel in the folder of an attempt.
pub(super) const KERNEL: &str = "kernel";

/// Says which initial ramdisk a script uses, in `$initrd`; empty for none.
fn find_initrd(boot: &DutBoot) -> String {
    match boot.initrd.as_str() {
        "none" => "initrd=".to_owned(),
        "reuse" => "initrd=; for file in /boot/initrd.img-$(uname -r) /boot/initramfs-$(uname -r).img \
                    /boot/initrd-$(uname -r) /boot/initrd.img; do \
                    if [ -z \"$initrd\" ] && [ -e \"$file\" ]; then initrd=$file; fi; done; \
                    [ -n \"$initrd\" ] || { echo 'no initial ramdisk of the default kernel in /boot' >&2; exit 1; }"
            .to_owned(),
        path => format!("initrd={path}; [ -e {path} ] || {{ echo 'there is no {path}' >&2; exit 1; }}"),
    }
}

/// The script that loads the kernel, run in the default kernel.
pub(super) fn load(boot: &DutBoot, state_dir: &str, command_line: &str) -> String {
    let (initrd, line) = (find_initrd(boot), quote(command_line));
    let kernel = format!("{state_dir}/{RUN}/{KERNEL}");
    match boot.method {
        BootMethod::Kexec => format!(
            "set -e; {initrd}; if [ -n \"$initrd\" ]; then kexec -l {kernel} --initrd=\"$initrd\" --command-line={line}; \
             else kexec -l {kernel} --command-line={line}; fi; sync"
        ),
        BootMethod::GrubReboot => {
            let entry = quote(boot.grub_entry.as_deref().unwrap_or_default());
            format!(
                "set -e; {initrd}; cp {kernel} /boot/orchestrator-test; \
                 if [ -n \"$initrd\" ]; then cp \"$initrd\" /boot/orchestrator-test.img; fi; \
                 grub-editenv - set orchestrator_cmdline={line}; grub-reboot {entry}; sync"
            )
        }
        BootMethod::Netboot => "sync".to_owned(),
    }
}

/// The script that starts what was loaded; it returns before that happens.
pub(super) fn start(method: BootMethod) -> &'static str {
    match method {
        BootMethod::Kexec => "(sleep 1; kexec -e) >/dev/null 2>&1 </dev/null &",
        BootMethod::GrubReboot => "(sleep 1; reboot || reboot -f) >/dev/null 2>&1 </dev/null &",
        BootMethod::Netboot => "sync",
    }
}

/// The script that leaves a test kernel: nothing of it is shut down in order, as nothing of it is kept.
pub(super) const LEAVE: &str =
    "sync; (sleep 1; echo b > /proc/sysrq-trigger || reboot -f) >/dev/null 2>&1 </dev/null &";

/// Offers the kernel on the boot server.
///
/// # Errors
/// One sentence: a file cannot be written.
pub(super) fn offer(boot: &DutBoot, kernel: &Utf8Path, command_line: &str) -> Result<(), String> {
    let folder = Utf8Path::new(boot.netboot_dir.as_deref().unwrap_or_default());
    let read = |path: &Utf8Path| fs_err::read(path).map_err(|error| error.to_string());
    if boot.initrd != "none" {
        write(&folder.join("initrd"), &read(Utf8Path::new(&boot.initrd))?)?;
    }
    write(&folder.join("cmdline"), format!("{command_line}\n").as_bytes())?;
    // Last: a boot server that sees the kernel offers it.
    write(&folder.join(KERNEL), &read(kernel)?)
}

/// Takes the kernel from the boot server: the next boot is the default kernel's.
///
/// # Errors
/// One sentence: a file cannot be removed.
pub(super) fn withdraw(boot: &DutBoot) -> Result<(), String> {
    let folder = Utf8Path::new(boot.netboot_dir.as_deref().unwrap_or_default());
    for name in [KERNEL, "cmdline", "initrd"] {
        match fs_err::remove_file(folder.join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.to_string()),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::DefaultKernel;

    fn boot(method: BootMethod, initrd: &str) -> DutBoot {
        DutBoot {
            method,
            default_kernel: DefaultKernel { uname: "6.1.*".into() },
            append: String::new(),
            initrd: initrd.into(),
            netboot_dir: None,
            grub_entry: Some("test kernel".into()),
        }
    }

    #[test]
    fn a_command_line_reaches_kexec_as_it_is() {
        let script = load(&boot(BootMethod::Kexec, "/boot/i"), "/s", "memmap=1G$0x80000000 panic=5");
        assert!(script.contains("--command-line='memmap=1G$0x80000000 panic=5'"), "{script}");
        assert!(script.contains("kexec -l /s/run/kernel --initrd=\"$initrd\""), "{script}");
    }

    #[test]
    fn scripts_are_good_shell() {
        for initrd in ["none", "reuse", "/boot/i"] {
            for method in [BootMethod::Kexec, BootMethod::GrubReboot, BootMethod::Netboot] {
                for script in [load(&boot(method, initrd), "/s", "a=1 b"), start(method).into(), LEAVE.into()] {
                    let status = std::process::Command::new("sh").args(["-n", "-c", &script]).status().unwrap();
                    assert!(status.success(), "{script}");
                }
            }
        }
    }

    #[test]
    fn grub_is_told_entry_and_command_line() {
        let script = load(&boot(BootMethod::GrubReboot, "none"), "/s", "a b");
        assert!(script.contains("set orchestrator_cmdline='a b'; grub-reboot 'test kernel'"), "{script}");
    }

    #[test]
    fn a_boot_server_offers_a_kernel_for_one_boot() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Utf8Path::from_path(dir.path()).unwrap();
        fs_err::write(folder.join("bzImage"), "K").unwrap();
        let boot = DutBoot { netboot_dir: Some(folder.join("tftp").into()), ..boot(BootMethod::Netboot, "none") };
        fs_err::create_dir(folder.join("tftp")).unwrap();
        offer(&boot, &folder.join("bzImage"), "a=1").unwrap();
        assert_eq!(fs_err::read_to_string(folder.join("tftp/cmdline")).unwrap(), "a=1\n");
        assert_eq!(fs_err::read_to_string(folder.join("tftp/kernel")).unwrap(), "K");
        withdraw(&boot).unwrap();
        assert!(!folder.join("tftp/kernel").exists());
        withdraw(&boot).unwrap();
    }
}
