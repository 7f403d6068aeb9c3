//! Which compilers this host has.

use tokio_util::sync::CancellationToken;

use super::BuildOptions;
use crate::process::{Command, ProcessError};
use crate::words::Kconfig;

/// Tools of a kconfig that this host lacks.
#[derive(Debug, thiserror::Error)]
pub enum ToolchainError {
    /// Not installed.
    #[error("{} {} missing: apt-get install {}", programs.join(", "), if programs.len() == 1 { "is" } else { "are" }, packages.join(" "))]
    Missing {
        /// Programs.
        programs: Vec<String>,
        /// Debian packages that have them.
        packages: Vec<String>,
    },
    /// There, but it does not work.
    #[error("{program} does not work: {source}")]
    Broken {
        /// Program.
        program: String,
        /// What happened.
        source: ProcessError,
    },
}

/// Programs a kconfig needs, with the Debian package of each.
fn programs(kconfig: &Kconfig, options: BuildOptions) -> Vec<(String, String)> {
    let cross = &kconfig.cross_compile;
    let machine = cross.trim_end_matches('-').replace('_', "-");
    let suffix = if cross.is_empty() { String::new() } else { format!("-{machine}") };
    let mut list = Vec::new();
    if kconfig.toolchain == "clang" {
        list.push(("clang".to_owned(), "clang".to_owned()));
        list.push(("ld.lld".to_owned(), "lld".to_owned()));
        list.push(("llvm-ar".to_owned(), "llvm".to_owned()));
    } else {
        list.push((format!("{cross}gcc"), format!("gcc{suffix}")));
        list.push((format!("{cross}ld"), format!("binutils{suffix}")));
    }
    if !cross.is_empty() {
        // Programs that run during the build are compiled for the host.
        list.push(("gcc".to_owned(), "gcc".to_owned()));
    }
    for (program, package) in [("make", "make"), ("flex", "flex"), ("bison", "bison"), ("bc", "bc")] {
        list.push((program.to_owned(), package.to_owned()));
    }
    if options.sparse {
        list.push(("sparse".to_owned(), "sparse".to_owned()));
    }
    list
}

/// The tools that `kconfig` is built with and their versions, one per line: part of the build's key.
///
/// # Errors
/// When one is missing or broken; the message names the Debian package to install.
pub async fn toolchain(
    kconfig: &Kconfig,
    options: BuildOptions,
    cancel: &CancellationToken,
) -> Result<String, ToolchainError> {
    let mut versions = Vec::new();
    let (mut lacking, mut packages) = (Vec::new(), Vec::new());
    for (program, package) in programs(kconfig, options) {
        // bc reads its standard input when it does not know the option; it is empty here.
        let output = Command::new(&program, "/").arg("--version").output(cancel).await;
        match output {
            Ok(text) => {
                let line = text.lines().next().unwrap_or_default();
                versions.push(format!("{program}: {}", line.trim()));
            }
            Err(ProcessError::NotFound { .. }) => {
                lacking.push(program);
                packages.push(package);
            }
            Err(source @ ProcessError::Io { .. }) => return Err(ToolchainError::Broken { program, source }),
        }
    }
    if !lacking.is_empty() {
        return Err(ToolchainError::Missing { programs: lacking, packages });
    }
    // make, flex and the like are needed, but their versions do not change what is built or said.
    let decides = |line: &&String| {
        ["gcc:", "ld:", "clang:", "ld.lld:", "sparse:"]
            .iter()
            .any(|end| line.split_whitespace().next().is_some_and(|program| program.ends_with(end)))
    };
    Ok(versions.iter().filter(decides).cloned().collect::<Vec<_>>().join("\n"))
}

/// One line for each toolchain of `kconfigs`: what it is, or what is missing. Equal ones are named once.
pub async fn toolchains(kconfigs: &[Kconfig], cancel: &CancellationToken) -> Vec<Result<String, ToolchainError>> {
    let mut seen = std::collections::BTreeSet::new();
    let mut answers = Vec::new();
    for kconfig in kconfigs {
        if seen.insert((kconfig.toolchain.clone(), kconfig.cross_compile.clone())) {
            answers.push(toolchain(kconfig, BuildOptions::default(), cancel).await);
        }
    }
    answers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::testing::request;

    #[test]
    fn cross_compilers_name_their_debian_package() {
        let mut kconfig = request().kconfig;
        kconfig.cross_compile = "powerpc64le-linux-gnu-".into();
        let list = programs(&kconfig, BuildOptions::default());
        assert!(list.contains(&("powerpc64le-linux-gnu-gcc".into(), "gcc-powerpc64le-linux-gnu".into())), "{list:?}");
        kconfig.cross_compile = "x86_64-linux-gnu-".into();
        let list = programs(&kconfig, BuildOptions::default());
        assert!(list.contains(&("x86_64-linux-gnu-ld".into(), "binutils-x86-64-linux-gnu".into())), "{list:?}");
    }

    #[tokio::test]
    async fn everything_that_is_missing_says_what_to_install() {
        let mut kconfig = request().kconfig;
        kconfig.cross_compile = "no-such-machine-".into();
        let error = toolchain(&kconfig, BuildOptions::default(), &CancellationToken::new()).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "no-such-machine-gcc, no-such-machine-ld are missing: apt-get install gcc-no-such-machine \
             binutils-no-such-machine"
        );
        let one = ToolchainError::Missing { programs: vec!["bc".into()], packages: vec!["bc".into()] };
        assert_eq!(one.to_string(), "bc is missing: apt-get install bc");
    }
}
