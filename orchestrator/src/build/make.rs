//! What make is told.

use camino::Utf8Path;

use super::BuildRequest;
use crate::words::{BootImage, Fragment, Kconfig, Kind};

/// What a built kernel must not depend on: who built it, where and when.
pub(super) const FIXED_ENV: [(&str, &str); 4] = [
    ("KBUILD_BUILD_USER", "orchestrator"),
    ("KBUILD_BUILD_HOST", "orchestrator"),
    ("KBUILD_BUILD_TIMESTAMP", "Thu Jan  1 00:00:00 UTC 2026"),
    ("KBUILD_BUILD_VERSION", "1"),
];

/// Configuration that every kconfig gets last: a kernel release without the commit, which would make every image
/// differ from every other.
pub(super) fn own_fragment() -> Fragment {
    Fragment { name: "(built in)".to_owned(), text: "# CONFIG_LOCALVERSION_AUTO is not set\n".to_owned() }
}

/// Arguments of make that choose architecture and tools.
pub(super) fn tool_arguments(kconfig: &Kconfig) -> Vec<String> {
    let mut arguments = vec![format!("ARCH={}", kconfig.arch)];
    if !kconfig.cross_compile.is_empty() {
        arguments.push(format!("CROSS_COMPILE={}", kconfig.cross_compile));
    }
    if kconfig.toolchain == "clang" {
        arguments.push("LLVM=1".to_owned());
    }
    arguments
}

/// Arguments of the kernel's make for `goals` in the `O=` folder `out`.
///
/// `-k` so that one broken object hides no other, `--output-sync=target` so that what a compiler says stays next to
/// the name of its object.
pub(super) fn arguments(request: &BuildRequest, out: &Utf8Path, goals: &[String]) -> Vec<String> {
    let mut arguments = vec!["-C".to_owned(), request.source.to_string(), format!("O={out}")];
    arguments.extend(tool_arguments(&request.kconfig));
    arguments.push(format!("-j{}", request.jobs.max(1)));
    arguments.extend(["-k", "--output-sync=target", "--no-print-directory", "LOCALVERSION="].map(str::to_owned));
    arguments.extend(request.extra_make());
    arguments.extend(goals.iter().cloned());
    arguments
}

/// What to make for a kind link or boot, given the `.config`.
pub(super) fn goals(kconfig: &Kconfig, config: &str) -> Vec<String> {
    let kind = kconfig.kind;
    let mut goals = match kind {
        Kind::Compile => return Vec::new(),
        Kind::Link => vec!["vmlinux"],
        Kind::Boot => vec![image(kconfig).0],
    };
    if kind == Kind::Boot && config.lines().any(|line| line.starts_with("CONFIG_") && line.ends_with("=m")) {
        goals.push("modules");
    }
    goals.into_iter().map(str::to_owned).collect()
}

/// The make target of the bootable image of a kconfig, and the file it makes, relative to `O=`.
pub(super) fn image(kconfig: &Kconfig) -> (&'static str, &'static str) {
    if let Some(BootImage::BzImage) = kconfig.boot.as_ref().and_then(|boot| boot.image) {
        return ("bzImage", "arch/x86/boot/bzImage");
    }
    match kconfig.arch.as_str() {
        "arm64" => ("Image", "arch/arm64/boot/Image"),
        "riscv" => ("Image", "arch/riscv/boot/Image"),
        // PVH on x86_64, and the ELF image that QEMU takes on powerpc.
        _ => ("vmlinux", "vmlinux"),
    }
}

/// The folder below `arch/` of an `ARCH` (as the tree's top Makefile has it).
pub(super) fn source_arch(arch: &str) -> &str {
    match arch {
        "i386" | "x86_64" => "x86",
        "sparc32" | "sparc64" => "sparc",
        "parisc64" => "parisc",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::testing::request;
    use crate::words::BootSpec;

    #[test]
    fn arguments_of_a_cross_build() {
        let mut request = request();
        request.kconfig.arch = "arm64".into();
        request.kconfig.cross_compile = "aarch64-linux-gnu-".into();
        request.options.w1 = true;
        let line = arguments(&request, "/out".into(), &["Image".to_owned()]).join(" ");
        assert_eq!(
            line,
            "-C /src O=/out ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu- -j2 -k --output-sync=target \
             --no-print-directory LOCALVERSION= W=1 Image"
        );
    }

    #[test]
    fn clang_means_all_of_llvm() {
        let mut kconfig = request().kconfig;
        kconfig.toolchain = "clang".into();
        assert_eq!(tool_arguments(&kconfig), ["ARCH=x86_64", "LLVM=1"]);
    }

    #[test]
    fn goals_of_each_kind() {
        let kconfig = |kind, arch: &str, image| {
            let boot = BootSpec { image, ..BootSpec::default() };
            Kconfig { kind, arch: arch.into(), boot: Some(boot), ..request().kconfig }
        };
        assert_eq!(goals(&kconfig(Kind::Link, "x86_64", None), "CONFIG_TEST_HMM=m\n"), ["vmlinux"]);
        assert_eq!(goals(&kconfig(Kind::Boot, "x86_64", None), "CONFIG_TEST_HMM=y\n# CONFIG_X=m\n"), ["vmlinux"]);
        assert_eq!(goals(&kconfig(Kind::Boot, "x86_64", None), "CONFIG_TEST_HMM=m\n"), ["vmlinux", "modules"]);
        assert_eq!(goals(&kconfig(Kind::Boot, "arm64", None), ""), ["Image"]);
        assert_eq!(goals(&kconfig(Kind::Boot, "x86_64", Some(BootImage::BzImage)), ""), ["bzImage"]);
    }
}
