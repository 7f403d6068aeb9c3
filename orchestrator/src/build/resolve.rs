//! From a kconfig to a `.config`, and the proof that it is what was asked for.

use super::BuildRequest;
use super::changes::{affects_kconfig, changed_paths};
use super::kconfig::{Kconfigs, check, explain, merge};
use super::make::{arguments, own_fragment, source_arch};
use super::reason;
use super::session::{CONFIGURING, Job, Session};
use super::state::{Resolved, State};
use crate::words::{Diagnostic, Level, Tool};

/// Name of the configuration in the making, in `O=`.
const DRAFT: &str = ".config.draft";

/// Why there is no configuration.
#[derive(Debug)]
pub(super) enum Unresolved {
    /// The tree's own fault: a Kconfig file has errors.
    Failed {
        /// One line.
        reason: String,
        /// What scripts/kconfig said.
        diagnostics: Vec<Diagnostic>,
    },
    /// Trouble of ours.
    Infra(String),
}

impl From<std::io::Error> for Unresolved {
    fn from(error: std::io::Error) -> Self {
        Unresolved::Infra(error.to_string())
    }
}

/// Makes `.config` in `O=` what `request.kconfig` says, and notes it in `state`.
///
/// When `.config` was resolved for an earlier revision and nothing that Kconfig reads changed since, it is kept. The
/// file is only written when its content changes, so that make does not look twice.
pub(super) async fn resolve(
    session: &mut Session<'_>,
    request: &BuildRequest,
    toolchain: &str,
    state: &mut State,
) -> Result<Resolved, Unresolved> {
    let inputs = inputs(request, toolchain);
    let config_file = request.out.join(".config");
    if let Some(known) = &state.resolved {
        let intact = fs_err::read(&config_file).is_ok_and(|bytes| hash(&bytes) == known.config);
        let unchanged = || changed_paths(&request.source, &known.tree, &request.revision.tree);
        if known.inputs == inputs
            && intact
            && unchanged().is_some_and(|paths| !paths.iter().any(|p| affects_kconfig(p)))
        {
            return Ok(Resolved { tree: request.revision.tree.clone(), ..known.clone() });
        }
    }
    let draft = request.out.join(DRAFT);
    if draft.exists() {
        fs_err::remove_file(&draft)?;
    }
    configure(session, request, &request.kconfig.base).await?;
    let fragments: Vec<_> = request.kconfig.fragments.iter().cloned().chain([own_fragment()]).collect();
    let base = fs_err::read_to_string(&draft)?;
    fs_err::write(&draft, merge(&base, &fragments))?;
    let diagnostics = configure(session, request, "olddefconfig").await?;
    let config = fs_err::read_to_string(&draft)?;
    let mismatches = check(&request.kconfig, &config);
    let dropped = if mismatches.is_empty() {
        Vec::new()
    } else {
        let kconfigs = Kconfigs::load(&request.source, source_arch(&request.kconfig.arch))?;
        explain(&kconfigs, &config, mismatches)
    };
    if fs_err::read_to_string(&config_file).is_ok_and(|old| old == config) {
        fs_err::remove_file(&draft)?;
    } else {
        fs_err::rename(&draft, &config_file)?;
    }
    let config = hash(config.as_bytes());
    Ok(Resolved { tree: request.revision.tree.clone(), inputs, config, diagnostics, dropped })
}

/// Runs one configuration target on the draft and gives what scripts/kconfig had to say.
async fn configure(
    session: &mut Session<'_>,
    request: &BuildRequest,
    target: &str,
) -> Result<Vec<Diagnostic>, Unresolved> {
    let mut env = vec![("KCONFIG_CONFIG".to_owned(), DRAFT.to_owned())];
    if let Some(seed) = request.kconfig.seed {
        env.push(("KCONFIG_SEED".to_owned(), seed.to_string()));
    }
    let job = Job {
        arguments: arguments(request, &request.out, &[target.to_owned()]),
        env,
        about: CONFIGURING,
        ..Job::default()
    };
    let made = session.make(&job).await.map_err(Unresolved::Infra)?;
    let said = made.said.targets.into_values().flatten().chain(made.said.loose);
    let (kconfig, other): (Vec<_>, Vec<_>) = said.partition(|d| d.tool == Tool::Kconfig);
    if made.complete {
        return Ok(kconfig);
    }
    let diagnostics: Vec<_> = kconfig.into_iter().chain(other).collect();
    let reason = reason::first_error(&diagnostics).unwrap_or(made.last_line);
    Err(Unresolved::Failed { reason: format!("make {target}: {reason}"), diagnostics })
}

/// Hash of everything but the source that a configuration follows from.
fn inputs(request: &BuildRequest, toolchain: &str) -> String {
    let kconfig = &request.kconfig;
    let all = (
        (&kconfig.arch, &kconfig.base, kconfig.seed, &kconfig.fragments, &kconfig.require, &kconfig.optional),
        (own_fragment(), &kconfig.toolchain, &kconfig.cross_compile, &kconfig.make, toolchain),
    );
    hash(serde_json::to_string(&all).expect("plain data always serialises").as_bytes())
}

fn hash(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

/// Dropped symbols as diagnostics, for comparison and reports.
pub(super) fn dropped_diagnostics(resolved: &Resolved) -> Vec<Diagnostic> {
    let diagnostic = |dropped: &crate::words::DroppedSymbol| Diagnostic {
        level: Level::Error,
        tool: Tool::Kconfig,
        file: ".config".to_owned(),
        line: 0,
        function: None,
        message: dropped.to_string(),
        option: None,
        text: dropped.to_string(),
    };
    resolved.dropped.iter().map(diagnostic).collect()
}
