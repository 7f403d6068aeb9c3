//! The part of Redfish that switches power.

use std::sync::Once;
use std::time::Duration;

use super::power::PowerState;
use crate::term::text::is_hostile;

/// How long one request may take.
const DEADLINE: Duration = Duration::from_secs(20);

/// One system of a Redfish service.
#[derive(Debug)]
pub(super) struct Redfish {
    client: reqwest::Client,
    system: String,
    login: Option<(String, String)>,
}

impl Redfish {
    /// A client for `system` (a path or an id) of the service at `url`.
    ///
    /// # Errors
    /// One sentence: the authority's certificate cannot be used.
    pub(super) fn new(
        url: &str,
        system: &str,
        login: Option<(String, String)>,
        ca_file: Option<&str>,
    ) -> Result<Redfish, String> {
        let mut builder = client();
        if let Some(file) = ca_file {
            let pem = fs_err::read(super::files::home(file)).map_err(|error| error.to_string())?;
            let found = reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| format!("{file}: {error}"))?;
            for certificate in found {
                builder = builder.add_root_certificate(certificate);
            }
        }
        let client = builder.build().map_err(|error| plain(&error))?;
        Ok(Redfish { client, system: system_url(url, system), login })
    }

    /// Whether the system is on.
    ///
    /// # Errors
    /// One sentence: no answer, or one that says nothing.
    pub(super) async fn state(&self) -> Result<PowerState, String> {
        let text = answer(self.signed(self.client.get(&self.system))).await?;
        state(&text)
    }

    /// Asks for a reset of a kind: `On`, `ForceOff`. The service answers before it has happened.
    ///
    /// # Errors
    /// One sentence: no answer, or a refusal.
    pub(super) async fn reset(&self, kind: &str) -> Result<(), String> {
        let wanted = if kind == "On" { PowerState::On } else { PowerState::Off };
        if self.state().await? == wanted {
            // Services refuse to switch on what is on.
            return Ok(());
        }
        self.act(kind).await
    }

    /// Asks for any kind of reset, whatever the state.
    ///
    /// # Errors
    /// One sentence: no answer, or a refusal.
    pub(super) async fn act(&self, kind: &str) -> Result<(), String> {
        let request = self.client.post(format!("{}/Actions/ComputerSystem.Reset", self.system));
        answer(self.signed(request.json(&serde_json::json!({ "ResetType": kind })))).await.map(drop)
    }

    fn signed(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        match &self.login {
            Some((user, password)) => request.basic_auth(user, Some(password)),
            None => request,
        }
    }
}

/// Asks for a page.
///
/// # Errors
/// One sentence: no answer, or one that is no success.
pub(super) async fn get(url: &str) -> Result<String, String> {
    let client = client().build().map_err(|error| plain(&error))?;
    answer(client.get(url)).await
}

fn client() -> reqwest::ClientBuilder {
    static ONCE: Once = Once::new();
    // Fails only when another part of the program chose already, which serves as well.
    ONCE.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
    // A BMC is in the lab: proxies are not for it, and a redirect would take the login elsewhere.
    reqwest::Client::builder().timeout(DEADLINE).no_proxy().redirect(reqwest::redirect::Policy::none())
}

async fn answer(request: reqwest::RequestBuilder) -> Result<String, String> {
    let answer = request.send().await.map_err(|error| plain(&error))?;
    let status = answer.status();
    let text = answer.text().await.map_err(|error| plain(&error))?;
    if status.is_success() {
        return Ok(text);
    }
    let words: String = text.chars().filter(|c| !is_hostile(*c)).take(200).collect();
    Err(format!("it answers {status}: {words}"))
}

/// An error without the address, and with what is behind it.
fn plain(error: &reqwest::Error) -> String {
    let mut source: &dyn std::error::Error = error;
    while let Some(deeper) = source.source() {
        source = deeper;
    }
    source.to_string()
}

fn system_url(url: &str, system: &str) -> String {
    let url = url.trim_end_matches('/');
    match system.strip_prefix('/') {
        Some(path) => format!("{url}/{}", path.trim_end_matches('/')),
        None => format!("{url}/redfish/v1/Systems/{system}"),
    }
}

pub(super) fn state(text: &str) -> Result<PowerState, String> {
    let value: serde_json::Value = serde_json::from_str(text).map_err(|error| format!("its answer: {error}"))?;
    match value["PowerState"].as_str() {
        Some("On") => Ok(PowerState::On),
        Some("Off") => Ok(PowerState::Off),
        Some("PoweringOn" | "PoweringOff" | "Paused") => Ok(PowerState::Changing),
        other => Err(format!("its answer has no known PowerState: {other:?}")),
    }
}

#[cfg(test)]
mod tests {
    use wiremock::matchers::{basic_auth, body_json, method, path};
    use wiremock::{Mock, MockServer, ResponseTemplate};

    use super::*;

    #[test]
    fn a_system_is_a_path_or_an_id() {
        assert_eq!(system_url("http://b/", "1"), "http://b/redfish/v1/Systems/1");
        assert_eq!(system_url("http://b", "/redfish/v1/Systems/x/"), "http://b/redfish/v1/Systems/x");
    }

    #[test]
    fn states_are_read() {
        assert_eq!(state(r#"{"PowerState": "On"}"#).unwrap(), PowerState::On);
        assert_eq!(state(r#"{"PowerState": "PoweringOff"}"#).unwrap(), PowerState::Changing);
        assert!(state("{}").unwrap_err().contains("no known PowerState"));
        assert!(state("<html>").is_err());
    }

    #[tokio::test]
    async fn a_reset_is_asked_for_with_the_login() {
        let server = MockServer::start().await;
        Mock::given(method("GET"))
            .and(path("/redfish/v1/Systems/1"))
            .and(basic_auth("lab", "word"))
            .respond_with(ResponseTemplate::new(200).set_body_string(r#"{"PowerState": "Off"}"#))
            .mount(&server)
            .await;
        Mock::given(method("POST"))
            .and(path("/redfish/v1/Systems/1/Actions/ComputerSystem.Reset"))
            .and(body_json(serde_json::json!({"ResetType": "On"})))
            .respond_with(ResponseTemplate::new(204))
            .expect(1)
            .mount(&server)
            .await;
        let redfish = Redfish::new(&server.uri(), "1", Some(("lab".into(), "word".into())), None).unwrap();
        redfish.reset("On").await.unwrap();
        // It is off already.
        redfish.reset("ForceOff").await.unwrap();
    }

    #[tokio::test]
    async fn a_refusal_is_quoted() {
        let server = MockServer::start().await;
        Mock::given(method("GET"))
            .respond_with(ResponseTemplate::new(401).set_body_string("who?"))
            .mount(&server)
            .await;
        let error = get(&server.uri()).await.unwrap_err();
        assert!(error.contains("401") && error.contains("who?"), "{error}");
    }
}
