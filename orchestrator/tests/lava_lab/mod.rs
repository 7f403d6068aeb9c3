//! A LAVA server: the real one where the environment names it, else a stand-in that really boots what a job says.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use camino::Utf8Path;
use orchestrator::words::{Lava, SecretPlace};
use serde_json::json;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

/// A server and all that it needs.
pub struct Server {
    pub lava: Lava,
    _stand_in: Option<MockServer>,
    _web: Option<Web>,
}

/// A web server for what is published.
struct Web(Child);

impl Drop for Web {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Server {
    pub async fn new(dir: &Utf8Path) -> Server {
        let publish_dir = dir.join("www");
        std::fs::create_dir(&publish_dir).unwrap();
        match std::env::var("LAVA_URL") {
            Ok(url) => Server::real(url, &publish_dir),
            Err(_) => Server::stand_in(dir, &publish_dir).await,
        }
    }

    fn real(url: String, publish_dir: &Utf8Path) -> Server {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let web = Command::new("python3")
            .args(["-m", "http.server", "--bind", "127.0.0.1", "--directory", publish_dir.as_str(), &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let file = std::env::var("LAVA_TOKEN_FILE").expect("LAVA_TOKEN_FILE is set");
        let lava = Lava {
            url,
            device_type: std::env::var("LAVA_DEVICE_TYPE").expect("LAVA_DEVICE_TYPE is set"),
            token: SecretPlace { env: None, file: Some(file) },
            publish_dir: publish_dir.to_string(),
            publish_url: format!("http://127.0.0.1:{port}"),
            template: None,
        };
        Server { lava, _stand_in: None, _web: Some(Web(web)) }
    }

    async fn stand_in(dir: &Utf8Path, publish_dir: &Utf8Path) -> Server {
        let token = dir.join("token");
        std::fs::write(&token, "secret\n").unwrap();
        let server = MockServer::start().await;
        let lava = Lava {
            url: server.uri(),
            device_type: "qemu".into(),
            token: SecretPlace { env: None, file: Some(token.to_string()) },
            publish_dir: publish_dir.to_string(),
            publish_url: "http://files.invalid/lab".into(),
            template: None,
        };
        let stand_in = StandIn { lava: lava.clone(), job: Arc::default() };
        Mock::given(any()).respond_with(stand_in).mount(&server).await;
        Server { lava, _stand_in: Some(server), _web: None }
    }
}

/// The one job of a stand-in.
#[derive(Default)]
struct Job {
    name: String,
    state: &'static str,
    health: &'static str,
    log: Vec<String>,
}

impl Job {
    fn say(&mut self, level: &str, message: &serde_json::Value) {
        let entry = json!({"dt": "2026-04-01T10:00:00.000000", "lvl": level, "msg": message});
        self.log.push(format!("- {entry}\n"));
    }

    /// A line of the console, changed as LAVA changes it.
    fn target(&mut self, line: &str) {
        self.say("target", &json!(line.replace('\r', "").replace('"', "\\\"").replace('\u{1b}', "")));
    }

    fn end(&mut self, health: &'static str, result: &str, kind: &str, message: &str) {
        let verdict = json!({
            "case": "job", "definition": "lava", "result": result, "error_type": kind, "error_msg": message,
        });
        self.say("results", &verdict);
        (self.state, self.health) = ("Finished", health);
    }
}

struct StandIn {
    lava: Lava,
    job: Arc<Mutex<Job>>,
}

impl Respond for StandIn {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        if request.headers.get("authorization").is_none_or(|token| token != "Token secret") {
            return ResponseTemplate::new(401).set_body_json(json!({"detail": "Invalid token."}));
        }
        let path = request.url.path().trim_start_matches("/api/v0.2").to_owned();
        let mut job = self.job.lock().unwrap();
        let state = |job: &Job| json!({"id": 1, "state": job.state, "health": job.health, "actual_device": "qemu-01", "description": job.name});
        match (request.method.as_str(), path.as_str()) {
            ("POST", "/jobs/") => {
                assert!(job.name.is_empty(), "one job is submitted once");
                let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
                let definition: serde_yaml::Value =
                    serde_yaml::from_str(body["definition"].as_str().unwrap()).expect("a job is YAML");
                job.name = definition["job_name"].as_str().unwrap().to_owned();
                (job.state, job.health) = ("Running", "Unknown");
                let (own, lava) = (self.job.clone(), self.lava.clone());
                std::thread::spawn(move || execute(&own, &lava, &definition));
                ResponseTemplate::new(201).set_body_json(json!({"message": "submitted", "job_ids": [1]}))
            }
            ("GET", "/jobs/1/") => ResponseTemplate::new(200).set_body_json(state(&job)),
            ("GET", "/jobs/1/logs/") => {
                let from =
                    request.url.query_pairs().find(|(key, _)| key == "start").map_or(0, |(_, n)| n.parse().unwrap());
                match job.log.get(from..).filter(|lines| !lines.is_empty()) {
                    Some(lines) => ResponseTemplate::new(200).set_body_string(lines.concat()),
                    None => ResponseTemplate::new(404).set_body_json(json!({"detail": "Not found."})),
                }
            }
            ("GET", "/jobs/1/cancel/") => {
                if job.state != "Finished" {
                    job.end("Canceled", "fail", "Canceled", "The job was canceled");
                }
                ResponseTemplate::new(200).set_body_json(json!({"message": "Job cancel signal sent."}))
            }
            (method, path) => panic!("{method} {path} is no call that was expected"),
        }
    }
}

/// Does what the definition says, as LAVA's QEMU devices do.
fn execute(job: &Mutex<Job>, lava: &Lava, definition: &serde_yaml::Value) {
    let find =
        |name: &str| definition["actions"].as_sequence().unwrap().iter().find_map(|action| action.get(name)).unwrap();
    let images = &find("deploy")["images"];
    let mut words = vec!["-nographic".to_owned(), "-net".into(), "none".into(), "-monitor".into(), "none".into()];
    words.extend(["-m".to_owned(), definition["context"]["memory"].as_u64().unwrap().to_string()]);
    for option in definition["context"]["extra_options"].as_sequence().unwrap() {
        words.extend(split(option.as_str().unwrap()));
    }
    for image in ["kernel", "initrd"] {
        let url = images[image]["url"].as_str().unwrap();
        let name = url.strip_prefix(lava.publish_url.as_str()).expect("it is published").trim_start_matches('/');
        let file = Utf8Path::new(&lava.publish_dir).join(name);
        assert!(file.is_file(), "{file} is published");
        let argument = images[image]["image_arg"].as_str().unwrap();
        words.extend(split(&argument.replace(&format!("{{{image}}}"), file.as_str())));
    }
    let prompt = find("boot")["prompts"][0].as_str().unwrap();
    let mut qemu = Command::new("qemu-system-x86_64")
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("QEMU is installed");
    let mut lines = BufReader::new(qemu.stdout.take().unwrap());
    let mut line = Vec::new();
    loop {
        line.clear();
        if lines.read_until(b'\n', &mut line).unwrap_or(0) == 0 {
            job.lock().unwrap().end("Incomplete", "fail", "Infrastructure", "Connection closed");
            break;
        }
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        let mut job = job.lock().unwrap();
        if job.state == "Finished" {
            break;
        }
        job.target(&text);
        if text.contains(prompt) {
            job.end("Complete", "pass", "", "");
            break;
        }
        if text.contains("end Kernel panic") {
            job.end("Incomplete", "fail", "Job", "login-action kernel 'panic'");
            break;
        }
    }
    let _ = qemu.kill();
    let _ = qemu.wait();
}

/// Words of a command line, in which double quotes keep blanks, as pexpect splits them.
fn split(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for letter in text.chars() {
        match letter {
            '"' => quoted = !quoted,
            ' ' if !quoted => words.extend(Some(std::mem::take(&mut word)).filter(|word| !word.is_empty())),
            letter => word.push(letter),
        }
    }
    words.extend(Some(word).filter(|word| !word.is_empty()));
    words
}
