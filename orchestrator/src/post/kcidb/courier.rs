//! Submitting results.

use serde::Deserialize;
use serde_json::Value;

use crate::post::http::{Answer, Call, Client, Trouble, trouble};
use crate::post::outbox::{Arrival, Clock, Courier, Gate, Item, OutboxError, Outcome, Record};
use crate::post::places::Token;

/// Submits results to KCIDB.
pub struct KcidbCourier {
    client: Client,
    clock: Clock,
}

#[derive(Debug, Deserialize)]
struct Payload {
    server: String,
    submission: Value,
}

/// What the server says of a submission.
#[derive(Debug, Deserialize)]
struct Said {
    id: String,
    status: String,
    #[serde(default)]
    message: Option<String>,
}

impl KcidbCourier {
    /// A courier with this token.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(token: &Token, clock: Clock) -> Result<KcidbCourier, Trouble> {
        Ok(KcidbCourier { client: Client::new(&format!("Bearer {}", token.reveal()))?, clock })
    }

    async fn answer(&self, call: &Call) -> Result<Answer, Trouble> {
        let answer = self.client.send(call).await?;
        match trouble(call, &answer, (self.clock)()) {
            None => Ok(answer),
            Some(Trouble::Never { why }) if answer.status == 403 => {
                Err(Trouble::never(format!("{why}; the token may not submit for this origin")))
            }
            Some(trouble) => Err(trouble),
        }
    }

    /// Submits, then asks once what became of it: the server checks and stores later.
    async fn submit(&self, payload: &Payload) -> Result<(String, String), Trouble> {
        let call = Call::post(format!("{}/submit", payload.server), payload.submission.clone());
        let said: Said = self.answer(&call).await?.json(&call)?;
        if matches!(said.status.as_str(), "error" | "fail" | "failed" | "invalid") {
            let words = said.message.unwrap_or(said.status);
            return Err(Trouble::never(format!("{} does not accept it: {words}", payload.server)));
        }
        let id = percent_encoding::utf8_percent_encode(&said.id, percent_encoding::NON_ALPHANUMERIC).to_string();
        let ask = Call::get(format!("{}/status?id={id}", payload.server));
        // It is submitted: not to hear what became of it since is no reason to submit it again.
        let state = match self.answer(&ask).await.and_then(|answer| answer.json::<Said>(&ask)) {
            Ok(said) if matches!(said.status.as_str(), "error" | "fail" | "failed" | "invalid") => {
                let words = said.message.unwrap_or(said.status);
                return Err(Trouble::never(format!("submission {id} was refused: {words}")));
            }
            Ok(said) => format!("its state there is {}", crate::term::text::visible(&said.status)),
            Err(Trouble::Later { why, .. } | Trouble::Never { why }) => format!("its state is not known: {why}"),
        };
        Ok((said.id, state))
    }
}

impl Courier for KcidbCourier {
    async fn deliver(&self, item: &Item, _past: &[Record], gate: Gate<'_>) -> Result<Outcome, OutboxError> {
        let payload: Payload = match item.payload() {
            Ok(payload) => payload,
            Err(error) => return Ok(crate::post::courier::unreadable(&error)),
        };
        let passed = gate.pass("it is submitted", Vec::new())?;
        Ok(match self.submit(&payload).await {
            Ok((id, state)) => Outcome::Delivered {
                passed,
                why: format!("it is submission {id}; {state}"),
                receipts: Vec::new(),
                reference: Some(id),
            },
            Err(trouble) => crate::post::courier::outcome(trouble),
        })
    }

    async fn arrived(&self, _item: &Item) -> Arrival {
        Arrival::No { why: "KCIDB merges objects of one id, so submitting again makes no double".to_owned() }
    }
}
