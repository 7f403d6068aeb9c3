//! From a report to the checks of its patches.

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::post::http::Call;
use crate::post::message::{Message, Unsaid};
use crate::post::outbox::{Draft, Kind, Subject};
use crate::post::places::{Patchwork, Places};
use crate::post::said::Said;
use crate::post::weigh::{Weight, sentence, weigh};
use crate::report::model::RunVerdict;

/// Longest context that Patchwork takes.
const CONTEXT_LIMIT: usize = 255;

/// Longest address that Patchwork takes.
const TARGET_LIMIT: usize = 200;

/// Columns of a description: what Patchwork shows in a line.
const DESCRIPTION_COLUMNS: usize = 250;

/// State of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckState {
    /// Somebody is at it. Never sent: a run is posted when it has ended.
    Pending,
    /// Nothing speaks against the patch.
    Success,
    /// A person should look, or there is no answer.
    Warning,
    /// Something speaks against the patch.
    Fail,
}

impl From<Weight> for CheckState {
    fn from(weight: Weight) -> CheckState {
        match weight {
            Weight::Good => CheckState::Success,
            Weight::Notice | Weight::Open => CheckState::Warning,
            Weight::Bad => CheckState::Fail,
        }
    }
}

impl CheckState {
    /// The word of the protocol.
    pub fn word(self) -> &'static str {
        match self {
            CheckState::Pending => "pending",
            CheckState::Success => "success",
            CheckState::Warning => "warning",
            CheckState::Fail => "fail",
        }
    }
}

/// A check as Patchwork takes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Its state.
    pub state: CheckState,
    /// What it is called: `orchestrator-linux-6_12`.
    pub context: String,
    /// Where more stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_url: Option<String>,
    /// One line.
    pub description: String,
}

/// A check and the patch it is for: what the outbox keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatchCheck {
    /// Address of the server.
    pub server: String,
    /// Link name of the project.
    pub project: String,
    /// Account of the token, when it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Message-ID of the patch, without angle brackets.
    pub message_id: String,
    /// The check.
    pub check: Check,
}

impl PatchCheck {
    /// Address that lists the patches which this mail is.
    pub fn patches_url(&self) -> String {
        let id = percent_encoding::utf8_percent_encode(&self.message_id, percent_encoding::NON_ALPHANUMERIC);
        format!("{}/api/1.3/patches/?project={}&msgid={id}", self.server.trim_end_matches('/'), self.project)
    }

    /// Address of the checks of a patch.
    pub fn checks_url(&self, patch: &str) -> String {
        format!("{}/api/1.3/patches/{patch}/checks/", self.server.trim_end_matches('/'))
    }

    /// What a delivery asks and sends.
    pub fn calls(&self) -> Vec<Call> {
        let url = self.checks_url(&format!("{{patch {}}}", self.message_id));
        vec![Call::post(url, json!(self.check))]
    }
}

/// The checks of all patches on all trees.
///
/// # Errors
/// When there is nothing that could be said in this project, with the reason.
pub fn checks(said: &Said<'_>, place: &Patchwork, places: &Places) -> Result<Vec<PatchCheck>, Unsaid> {
    let report = said.report;
    if report.verdict == RunVerdict::Interrupted {
        return Err(Unsaid(format!(
            "the run was stopped before its end; `orchestrator resume {}` goes on with it",
            report.run.id
        )));
    }
    if report.series.port {
        return Err(Unsaid("a port was tested: its patches are not the mails that Patchwork knows".to_owned()));
    }
    let nameless: Vec<String> =
        report.series.patches.iter().filter(|p| p.message_id.is_none()).map(|p| p.number.to_string()).collect();
    if !nameless.is_empty() {
        return Err(Unsaid(format!(
            "no Message-ID is known of patch {}: Patchwork finds patches by it; test the posted mails",
            nameless.join(", ")
        )));
    }
    let target = places.run_url(&report.run.id, "report.html").filter(|url| url.len() <= TARGET_LIMIT);
    let mut checks = Vec::new();
    for tree in weigh(report) {
        for patch in &tree.patches {
            checks.push(PatchCheck {
                server: place.url.clone(),
                project: place.project.clone(),
                user: place.user.clone(),
                message_id: patch.patch.message_id.clone().unwrap_or_default(),
                check: Check {
                    state: patch.weight.into(),
                    context: context(&place.context, &tree.tree.name),
                    target_url: target.clone(),
                    description: sentence(&tree, patch, DESCRIPTION_COLUMNS),
                },
            });
        }
    }
    Ok(checks)
}

/// `orchestrator-linux-6_12`: letters, digits, `-` and `_`.
fn context(prefix: &str, tree: &str) -> String {
    let slug = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '_' };
    format!("{prefix}-{tree}").chars().map(slug).take(CONTEXT_LIMIT).collect()
}

/// The checks as messages for the outbox. What counts as news is state and description: another run that finds the
/// same says nothing new, though its report has another address.
///
/// # Errors
/// As [`checks`].
pub fn messages(said: &Said<'_>, place: &Patchwork, places: &Places) -> Result<Vec<Message>, Unsaid> {
    let server = place.url.trim_end_matches('/');
    let message = |check: PatchCheck| {
        let words = format!("{}\n{}", check.check.state.word(), check.check.description);
        Message {
            calls: check.calls(),
            draft: Draft {
                subject: Subject {
                    kind: Kind::PatchworkCheck,
                    topic: format!("{server}/{}/{}/{}", check.project, check.message_id, check.check.context),
                    fingerprint: blake3::hash(words.as_bytes()).to_hex()[..32].to_owned(),
                },
                run: said.report.run.id.clone(),
                title: format!("{} {}: {}", check.check.context, check.check.state.word(), check.check.description),
                destination: format!("patch {} in project {} of {server}", check.message_id, check.project),
                payload: json!(check),
            },
        }
    };
    Ok(checks(said, place, places)?.into_iter().map(message).collect())
}
