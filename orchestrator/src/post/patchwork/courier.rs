//! Delivering checks.

use serde::Deserialize;

use super::checks::{CheckState, PatchCheck};
use crate::post::http::{Answer, Call, Client, Trouble, trouble};
use crate::post::outbox::{Arrival, Clock, Courier, Gate, Item, OutboxError, Outcome, Record};
use crate::post::places::Token;
use crate::term::text::visible;

/// Most pages read of a list.
const MOST_PAGES: usize = 40;

/// Delivers checks to Patchwork.
pub struct PatchworkCourier {
    client: Client,
    clock: Clock,
}

/// A patch in an answer.
#[derive(Debug, Deserialize)]
struct FoundPatch {
    id: u64,
    msgid: String,
    project: FoundProject,
}

#[derive(Debug, Deserialize)]
struct FoundProject {
    link_name: String,
}

/// A check in an answer.
#[derive(Debug, Deserialize)]
struct FoundCheck {
    id: u64,
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    user: Option<FoundUser>,
    state: CheckState,
    context: String,
    #[serde(default)]
    target_url: Option<String>,
    #[serde(default)]
    description: Option<String>,
}

#[derive(Debug, Deserialize)]
struct FoundUser {
    username: String,
}

impl FoundCheck {
    fn is_ours(&self, payload: &PatchCheck) -> bool {
        let user = self.user.as_ref().map(|user| user.username.as_str());
        self.context == payload.check.context && payload.user.as_deref().is_none_or(|ours| user == Some(ours))
    }

    fn says(&self, payload: &PatchCheck) -> bool {
        let check = &payload.check;
        self.state == check.state
            && self.description.as_deref().unwrap_or_default() == check.description
            && self.target_url.as_deref().unwrap_or_default() == check.target_url.as_deref().unwrap_or_default()
    }
}

impl PatchworkCourier {
    /// A courier with this token.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(token: &Token, clock: Clock) -> Result<PatchworkCourier, Trouble> {
        Ok(PatchworkCourier { client: Client::new(&format!("Token {}", token.reveal()))?, clock })
    }

    async fn answer(&self, call: &Call, payload: &PatchCheck) -> Result<Answer, Trouble> {
        let answer = self.client.send(call).await?;
        match trouble(call, &answer, (self.clock)()) {
            None => Ok(answer),
            Some(Trouble::Never { why }) if answer.status == 403 => Err(Trouble::never(format!(
                "{why}; the account of the token may not add checks to project {}: ask an administrator of {} for the \
                 permission `add check`",
                payload.project, payload.server
            ))),
            Some(trouble) => Err(trouble),
        }
    }

    /// Everything in a list, page by page.
    async fn list<T: serde::de::DeserializeOwned>(
        &self,
        first: String,
        payload: &PatchCheck,
    ) -> Result<Vec<T>, Trouble> {
        let mut all = Vec::new();
        let mut url = first;
        for _ in 0..MOST_PAGES {
            let call = Call::get(url);
            let answer = self.answer(&call, payload).await?;
            all.extend(answer.json::<Vec<T>>(&call)?);
            match answer.next_page() {
                None => return Ok(all),
                Some(next) if same_server(next, &payload.server) => url = next.to_owned(),
                Some(next) => {
                    let why = format!("{} leads to another server, {}", payload.server, visible(next));
                    return Err(Trouble::never(format!("{why}; check the address in series/places.yaml")));
                }
            }
        }
        Err(Trouble::never(format!("{} has more than {MOST_PAGES} pages", payload.server)))
    }

    /// Number of the patch. A server that does not know the filter gives other patches: those are not taken.
    async fn patch(&self, payload: &PatchCheck) -> Result<u64, Trouble> {
        let patches: Vec<FoundPatch> = self.list(payload.patches_url(), payload).await?;
        let found = patches.iter().find(|patch| {
            patch.msgid.trim_matches(['<', '>']) == payload.message_id && patch.project.link_name == payload.project
        });
        found.map(|patch| patch.id).ok_or_else(|| {
            let PatchCheck { server, project, message_id, .. } = payload;
            Trouble::later(format!("project {project} of {server} has no patch with Message-ID {message_id} (yet)"))
        })
    }

    /// The newest check of ours in this context.
    async fn newest(&self, patch: u64, payload: &PatchCheck) -> Result<Option<FoundCheck>, Trouble> {
        let url = format!("{}?per_page=100&context={}", payload.checks_url(&patch.to_string()), payload.check.context);
        let checks: Vec<FoundCheck> = self.list(url, payload).await?;
        Ok(checks.into_iter().filter(|check| check.is_ours(payload)).max_by_key(|check| check.id))
    }

    async fn post(&self, payload: &PatchCheck, gate: Gate<'_>) -> Result<Result<Outcome, Trouble>, OutboxError> {
        let looked = async {
            let patch = self.patch(payload).await?;
            Ok((patch, self.newest(patch, payload).await?))
        };
        let (patch, newest) = match looked.await {
            Ok(looked) => looked,
            Err(trouble) => return Ok(Err(trouble)),
        };
        if let Some(newest) = newest.filter(|newest| newest.says(payload)) {
            let why = format!("check {} of patch {patch} says it already", newest.id);
            let passed = gate.pass(&why, Vec::new())?;
            return Ok(Ok(Outcome::Delivered { passed, why, receipts: Vec::new(), reference: newest.url }));
        }
        let passed = gate.pass(&format!("patch {patch} gets a check"), Vec::new())?;
        let url = payload.checks_url(&patch.to_string());
        let call = Call::post(url, serde_json::json!(payload.check));
        let sent = async {
            let answer = self.answer(&call, payload).await?;
            answer.json::<FoundCheck>(&call)
        };
        Ok(sent.await.map(|check| Outcome::Delivered {
            passed,
            why: format!("it is check {} of patch {patch}", check.id),
            receipts: Vec::new(),
            reference: check.url,
        }))
    }
}

fn same_server(url: &str, server: &str) -> bool {
    match (url::Url::parse(url), url::Url::parse(server)) {
        (Ok(url), Ok(server)) => url.origin() == server.origin(),
        _ => false,
    }
}

impl Courier for PatchworkCourier {
    async fn deliver(&self, item: &Item, _past: &[Record], gate: Gate<'_>) -> Result<Outcome, OutboxError> {
        let payload: PatchCheck = match item.payload() {
            Ok(payload) => payload,
            Err(error) => return Ok(crate::post::courier::unreadable(&error)),
        };
        Ok(self.post(&payload, gate).await?.unwrap_or_else(crate::post::courier::outcome))
    }

    async fn arrived(&self, _item: &Item) -> Arrival {
        crate::post::courier::reads_first("the patch's checks are")
    }
}
