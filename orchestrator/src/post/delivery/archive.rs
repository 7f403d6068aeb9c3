//! Asking a public-inbox whether it has a mail.

use std::time::Duration;

use crate::post::lists::quote;
use crate::post::outbox::Arrival;

/// How long the archive may take to answer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Most bytes read of its answer: the head of the mail is enough.
const MAX_BYTES: usize = 256 * 1024;

/// Looks a mail up by its Message-ID.
///
/// An archive that has it is proof. One that has not is none: mail takes its time, and a list may hold it back.
pub(super) async fn look_up(archive: Option<&str>, message_id: &str) -> Arrival {
    let Some(archive) = archive else {
        return Arrival::Unknown { why: "no archive is configured that could be asked for it".to_owned() };
    };
    let url = format!("{archive}{}/raw", quote(message_id));
    match fetch(&url).await {
        Ok(Some(text)) if has_message_id(&text, message_id) => {
            Arrival::Yes { why: format!("found in the archive: {url}"), reference: Some(url) }
        }
        Ok(Some(_)) => Arrival::Unknown { why: format!("{url} answers with something that is not this mail") },
        Ok(None) => Arrival::Unknown { why: format!("the archive does not have it, or not yet ({url})") },
        Err(error) => Arrival::Unknown { why: format!("the archive cannot be asked: {error}") },
    }
}

/// The beginning of a page; `None` when there is none.
async fn fetch(url: &str) -> Result<Option<String>, reqwest::Error> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let agent = concat!("orchestrator/", env!("CARGO_PKG_VERSION"));
    let client = reqwest::Client::builder().user_agent(agent).timeout(TIMEOUT).build()?;
    let mut response = client.get(url).send().await?;
    if response.status() == reqwest::StatusCode::NOT_FOUND {
        return Ok(None);
    }
    response = response.error_for_status()?;
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() >= MAX_BYTES {
            break;
        }
    }
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// True when the text is a mail with this Message-ID.
fn has_message_id(text: &str, message_id: &str) -> bool {
    let message = mail_parser::MessageParser::default().parse_headers(text.as_bytes());
    message.is_some_and(|message| message.message_id() == Some(message_id))
}

#[cfg(test)]
mod tests {
    use wiremock::matchers::{method, path};
    use wiremock::{Mock, MockServer, ResponseTemplate};

    use super::*;

    async fn answer(template: ResponseTemplate) -> Arrival {
        let server = MockServer::start().await;
        Mock::given(method("GET")).and(path("/all/a%2Fb@example.org/raw")).respond_with(template).mount(&server).await;
        look_up(Some(&format!("{}/all/", server.uri())), "a/b@example.org").await
    }

    #[tokio::test]
    async fn only_the_mail_itself_is_proof() {
        let mail = "From: a@example.org\nMessage-ID: <a/b@example.org>\nSubject: s\n\nbody\n";
        assert!(matches!(answer(ResponseTemplate::new(200).set_body_string(mail)).await, Arrival::Yes { .. }));
        for template in [
            ResponseTemplate::new(404),
            ResponseTemplate::new(503),
            ResponseTemplate::new(200).set_body_string("<html>Are you a robot?</html>"),
            ResponseTemplate::new(200).set_body_string(mail.replace("a/b@", "other@")),
            ResponseTemplate::new(200).set_body_string("Subject: s\n\nMessage-ID: <a/b@example.org>\n"),
        ] {
            assert!(matches!(answer(template).await, Arrival::Unknown { .. }));
        }
        assert!(matches!(look_up(None, "a@b").await, Arrival::Unknown { .. }));
    }
}
