//! The network goes in the middle of a fetch.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::checks;
use super::essence;
use super::known::{line_with, row};
use super::stage::{Ended, Stage, repository};
use crate::planted;

/// How the server fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// It promises the whole file and hangs up after this many bytes.
    CutAfter(usize),
    /// The same, but it never said how long the file is.
    CutUnnoticed(usize),
    /// It hangs up at once.
    Silent,
    /// It answers with an error.
    Refuses,
}

/// A server of one file.
struct Server {
    address: String,
    fault: Arc<Mutex<Fault>>,
    asked: Arc<AtomicUsize>,
}

impl Server {
    fn start(content: Vec<u8>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/kernel.tar", listener.local_addr().unwrap());
        let fault = Arc::new(Mutex::new(Fault::None));
        let asked = Arc::new(AtomicUsize::new(0));
        let (how, count) = (fault.clone(), asked.clone());
        // It ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                count.fetch_add(1, Ordering::Relaxed);
                let fault = *how.lock().unwrap();
                // A client that went away is no trouble.
                let _ = answer(stream, &content, fault);
            }
        });
        Server { address, fault, asked }
    }

    fn fails(&self, fault: Fault) {
        *self.fault.lock().unwrap() = fault;
    }
}

fn answer(mut stream: TcpStream, content: &[u8], fault: Fault) -> std::io::Result<()> {
    let mut request = Vec::new();
    let mut buffer = [0; 1024];
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read(&mut buffer)? {
            0 => return Ok(()),
            count => request.extend(&buffer[..count]),
        }
    }
    let whole = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", content.len());
    match fault {
        Fault::None => stream.write_all(whole.as_bytes()).and_then(|()| stream.write_all(content)),
        Fault::CutAfter(count) => stream.write_all(whole.as_bytes()).and_then(|()| stream.write_all(&content[..count])),
        Fault::CutUnnoticed(count) => {
            stream.write_all(b"HTTP/1.0 200 OK\r\n\r\n").and_then(|()| stream.write_all(&content[..count]))
        }
        Fault::Silent => Ok(()),
        Fault::Refuses => stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
    }
}

/// A small tree that looks like a kernel, as a tar file.
fn tarball(folder: &Path) -> (PathBuf, String) {
    let tree = folder.join("linux-1.2");
    std::fs::create_dir_all(tree.join("lib")).unwrap();
    let makefile = "VERSION = 1\nPATCHLEVEL = 2\nSUBLEVEL = 3\nEXTRAVERSION =\nNAME = Fault\n";
    let source = "int one;\n".repeat(20_000);
    std::fs::write(tree.join("Makefile"), makefile).unwrap();
    for number in 0..20 {
        std::fs::write(tree.join(format!("lib/file{number}.c")), format!("{source}int file{number};\n")).unwrap();
    }
    let file = folder.join("kernel.tar");
    let made = Command::new("tar")
        .args(["--sort=name", "-cf"])
        .arg(&file)
        .arg("-C")
        .arg(folder)
        .arg("linux-1.2")
        .status()
        .unwrap();
    assert!(made.success());
    (file, source)
}

/// A home whose only tree comes from this address.
fn home(folder: &Path, address: &str) -> PathBuf {
    let home = folder.join("home");
    std::fs::create_dir(&home).unwrap();
    for name in ["series", "kconfigs", "lab"] {
        assert!(Command::new("cp").arg("-r").arg(repository().join(name)).arg(&home).status().unwrap().success());
    }
    let trees = format!(
        "trees:\n  linux-6.12:\n    about: a tree for a test\n    sources:\n      - tarball: {{ url: \"{address}\" }}\n"
    );
    std::fs::write(home.join("series/trees.yaml"), trees).unwrap();
    home
}

/// A tarball that does not arrive whole.
pub fn fetch_is_cut() {
    let guard = tempfile::tempdir().unwrap();
    let (file, source) = tarball(guard.path());
    let content = std::fs::read(&file).unwrap();
    let length = content.len();
    let server = Server::start(content);
    let home = home(guard.path(), &server.address);
    let old = format!("{source}int file3;\n");
    let new = format!("{source}int file3 = 3;\n");
    let series = guard.path().join("series");
    std::fs::create_dir(&series).unwrap();
    let mail = planted::mail("lib: set it", 1, 1, &planted::unified("lib/file3.c", &old, &new));
    std::fs::write(series.join("0001.patch"), mail).unwrap();
    let begin = |stage: &Stage| -> Ended {
        let words = ["run", "series", series.to_str().unwrap(), "--tree", "linux-6.12", "--kconfig", "no-hmm-mirror"];
        stage.call(&[&["--home", home.to_str().unwrap()], &words[..]].concat())
    };
    let undisturbed = Stage::in_cache(&guard.path().join("cache"));
    let whole = begin(&undisturbed);
    let expected = undisturbed.report();
    assert_eq!(expected["trees"][0]["error"], serde_json::Value::Null, "{}", whole.said);
    let half = length / 2 / 512 * 512;
    let faults = [
        Fault::Silent,
        Fault::Refuses,
        Fault::CutAfter(0),
        Fault::CutAfter(100),
        Fault::CutAfter(half),
        Fault::CutAfter(length - 1),
        Fault::CutUnnoticed(100),
        Fault::CutUnnoticed(half),
        Fault::CutUnnoticed(half + 100),
        Fault::CutUnnoticed(member_end(&source, 5)),
    ];
    let mut saw = String::new();
    for (index, fault) in faults.into_iter().enumerate() {
        let stage = Stage::in_cache(&guard.path().join(format!("cache-{index}")));
        server.fails(fault);
        let cut = begin(&stage);
        assert_eq!(cut.code, Some(2), "{fault:?}: {}", cut.said);
        saw = line_with(&cut, "could not be had");
        checks::nothing_is_left(&stage);
        server.fails(Fault::None);
        let resumed = stage.call(&["--home", home.to_str().unwrap(), "resume", "latest"]);
        assert_eq!(resumed.code, whole.code, "{fault:?}: {}", resumed.said);
        essence::same(&expected, &stage.report());
        checks::nothing_is_left(&stage);
        checks::no_leftovers(&stage);
    }
    assert!(server.asked.load(Ordering::Relaxed) > faults.len());
    row("network gone in the middle of a fetch", faults.len(), &saw);
}

/// Where in the tar file a member ends: the folder, the Makefile, the folder `lib` and so many sources, each with its
/// header.
fn member_end(source: &str, members: usize) -> usize {
    let padded = (source.len() + 12).next_multiple_of(512);
    512 + (512 + 512) + 512 + members * (512 + padded)
}
