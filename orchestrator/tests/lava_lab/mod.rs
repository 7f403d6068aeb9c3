//! A LAVA server: the real one where the environment names it, else a stand-in that really boots what a job says.

mod device;

use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};

use camino::Utf8Path;
use orchestrator::words::{Lava, SecretPlace};
use serde_json::{Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

/// A server and all that it needs.
pub struct Server {
    pub lava: Lava,
    jobs: Jobs,
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
        match std::env::var("LAVA_URL") {
            Ok(url) => Server::real(url, dir),
            Err(_) => Server::stand_in(dir).await,
        }
    }

    fn real(url: String, dir: &Utf8Path) -> Server {
        let publish_dir = dir.join("www");
        std::fs::create_dir(&publish_dir).unwrap();
        // Where LAVA's worker finds this host.
        let host = std::env::var("LAVA_PUBLISH_HOST").unwrap_or_else(|_| "127.0.0.1".to_owned());
        let port = std::net::TcpListener::bind((host.as_str(), 0)).unwrap().local_addr().unwrap().port();
        let web = Command::new("python3")
            .args(["-m", "http.server", "--bind", &host, "--directory", publish_dir.as_str(), &port.to_string()])
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
            publish_url: format!("http://{host}:{port}"),
            template: std::env::var("LAVA_TEMPLATE").ok().map(|file| std::fs::read_to_string(file).unwrap()),
        };
        Server { lava, jobs: Jobs::default(), _stand_in: None, _web: Some(Web(web)) }
    }

    /// The stand-in, whatever the environment says: for trouble that nobody plants in a real server.
    pub async fn stand_in(dir: &Utf8Path) -> Server {
        let publish_dir = dir.join("www");
        std::fs::create_dir(&publish_dir).unwrap();
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
        let jobs = Jobs::default();
        let stand_in = StandIn { lava: lava.clone(), jobs: jobs.clone() };
        Mock::given(any()).respond_with(stand_in).mount(&server).await;
        Server { lava, jobs, _stand_in: Some(server), _web: None }
    }

    /// From the first test of a job on, the stand-in knows nothing of it any more.
    pub fn will_lose(&self, jobs: Lost) {
        self.jobs.lock().lost = jobs;
    }

    /// How many jobs the stand-in was given.
    pub fn submitted(&self) -> usize {
        self.jobs.lock().jobs.len()
    }
}

/// What a stand-in remembers.
#[derive(Default)]
struct Memory {
    /// Jobs from number 1 on.
    jobs: Vec<Job>,
    /// Those that are or will be lost.
    lost: Lost,
}

/// Which jobs a stand-in loses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lost {
    #[default]
    None,
    /// The one of this number.
    One(usize),
    All,
}

#[derive(Clone, Default)]
struct Jobs {
    memory: Arc<Mutex<Memory>>,
    /// There is one device: further jobs wait for it.
    device: Arc<Mutex<()>>,
}

impl Jobs {
    /// A thread that panicked has failed its test already; the others are to say why.
    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[derive(Default)]
struct Job {
    name: String,
    state: &'static str,
    health: &'static str,
    log: Vec<String>,
    lost: bool,
}

impl Job {
    fn say(&mut self, level: &str, message: &Value) {
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

    fn state(&self, number: usize) -> Value {
        let device = if self.state == "Submitted" { Value::Null } else { json!("qemu-01") };
        json!({
            "id": number, "state": self.state, "health": self.health, "actual_device": device, "description": self.name,
        })
    }
}

struct StandIn {
    lava: Lava,
    jobs: Jobs,
}

impl StandIn {
    fn submit(&self, body: &[u8]) -> ResponseTemplate {
        let body: Value = serde_json::from_slice(body).unwrap();
        let definition: serde_yaml::Value =
            serde_yaml::from_str(body["definition"].as_str().unwrap()).expect("a job is YAML");
        let name = definition["job_name"].as_str().unwrap().to_owned();
        let mut memory = self.jobs.lock();
        assert!(memory.jobs.iter().all(|job| job.name != name), "one job is submitted once: {name}");
        memory.jobs.push(Job { name, state: "Submitted", health: "Unknown", ..Job::default() });
        let number = memory.jobs.len();
        let (jobs, lava) = (self.jobs.clone(), self.lava.clone());
        std::thread::spawn(move || device::execute(&jobs, number, &lava, &definition));
        ResponseTemplate::new(201).set_body_json(json!({"message": "submitted", "job_ids": [number]}))
    }
}

impl Respond for StandIn {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        if request.headers.get("authorization").is_none_or(|token| token != "Token secret") {
            return ResponseTemplate::new(401).set_body_json(json!({"detail": "Invalid token."}));
        }
        let path = request.url.path().trim_start_matches("/api/v0.2/jobs").trim_matches('/').to_owned();
        let query = |name: &str| request.url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value);
        if request.method.as_str() == "POST" && path.is_empty() {
            return self.submit(&request.body);
        }
        assert_eq!(request.method.as_str(), "GET", "{path} is no call that was expected");
        let mut memory = self.jobs.lock();
        if path.is_empty() {
            let name = query("description").expect("a job is looked for by its name");
            let found = memory.jobs.iter().enumerate().rev().find(|(_, job)| job.name == name && !job.lost);
            let results: Vec<Value> = found.map(|(at, job)| job.state(at + 1)).into_iter().collect();
            return ResponseTemplate::new(200).set_body_json(json!({"results": results}));
        }
        let (number, call) = path.split_once('/').unwrap_or((&path, ""));
        let number: usize = number.parse().expect("a number of a job");
        let none = ResponseTemplate::new(404).set_body_json(json!({"detail": "Not found."}));
        let Some(job) = memory.jobs.get_mut(number - 1).filter(|job| !job.lost) else { return none };
        match call {
            "" => ResponseTemplate::new(200).set_body_json(job.state(number)),
            "logs" => {
                let from = query("start").map_or(0, |from| from.parse().unwrap());
                match job.log.get(from..).filter(|lines| !lines.is_empty()) {
                    Some(lines) => ResponseTemplate::new(200).set_body_string(lines.concat()),
                    None => none,
                }
            }
            "cancel" => {
                if job.state != "Finished" {
                    job.end("Canceled", "fail", "Canceled", "The job was canceled");
                }
                ResponseTemplate::new(200).set_body_json(json!({"message": "Job cancel signal sent."}))
            }
            call => panic!("{call} is no call that was expected"),
        }
    }
}
