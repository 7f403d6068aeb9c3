//! Processes that write, hang, fork and read: what becomes of them and of their output.

use super::*;

fn shell(script: &str) -> Command {
    Command::new("sh", "/").args(["-c", script])
}

#[tokio::test]
async fn streams_lines_and_reports_the_code() {
    let mut seen = Vec::new();
    let exit = shell("echo one; echo two >&2; exit 3")
        .run(&CancellationToken::new(), |stream, line| seen.push((stream, line.to_owned())))
        .await
        .unwrap();
    assert_eq!(exit.end, End::Code(3));
    seen.sort_by_key(|(_, line)| line.clone());
    assert_eq!(seen, [(Stream::Out, "one".to_owned()), (Stream::Err, "two".to_owned())]);
}

#[tokio::test]
async fn a_progress_meter_is_seen_as_it_moves() {
    let mut seen = Vec::new();
    let command = shell("printf '1%%\\r50%%\\r100%%\\nend'").returns_end_lines();
    command.run(&CancellationToken::new(), |_, line| seen.push(line.to_owned())).await.unwrap();
    assert_eq!(seen, ["1%", "50%", "100%", "end"]);
}

#[tokio::test]
async fn a_pipe_feeds_one_run() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let command = Command::new("cat", "/").stdin_pipe(reader);
    let feeder = std::thread::spawn(move || std::io::Write::write_all(&mut writer, b"fed\n"));
    assert_eq!(command.output(&CancellationToken::new()).await.unwrap(), "fed\n");
    feeder.join().unwrap().unwrap();
    let again = command.output(&CancellationToken::new()).await.unwrap_err();
    assert!(again.to_string().contains("used by an earlier run"), "{again}");
}

#[tokio::test]
async fn a_deadline_ends_a_process_that_ignores_term() {
    let mut command = shell("trap '' TERM; while :; do read x < /dev/zero; done").deadline(Duration::from_millis(50));
    command.grace = Duration::from_millis(50);
    let exit = command.run(&CancellationToken::new(), |_, _| ()).await.unwrap();
    assert_eq!(exit.end, End::Deadline);
}

#[tokio::test]
async fn cancelling_ends_the_whole_group() {
    let cancel = CancellationToken::new();
    let stop = cancel.clone();
    let mut pid = String::new();
    let exit = shell("sleep 1000 & echo $!; wait")
        .run(&cancel, |_, line| {
            pid = line.to_owned();
            stop.cancel();
        })
        .await
        .unwrap();
    assert_eq!(exit.end, End::Cancelled);
    // The signal was sent; when a busy host lets the grandchild see it is not for this test to say.
    let runs = || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        !stat.is_empty() && !stat.contains(") Z ")
    };
    let deadline = Instant::now() + Duration::from_secs(60);
    while runs() && Instant::now() < deadline {
        std::thread::yield_now();
    }
    assert!(!runs(), "the grandchild still runs");
}

/// Runs confined, where this host can do that.
fn confined(script: &str) -> Option<Command> {
    match Sandbox::probe() {
        super::super::SandboxProbe::Works => Some(shell(script).sandbox(Sandbox::default())),
        super::super::SandboxProbe::Missing(reason) => {
            eprintln!("not tested: {reason}");
            None
        }
    }
}

#[tokio::test]
async fn a_confined_process_is_stopped_at_any_moment_and_nothing_is_left() {
    let Some(command) = confined("echo in; sleep 1000") else { return };
    // From before bwrap has done anything until after the program runs.
    for milliseconds in (0..40).step_by(2) {
        let command = command.clone().deadline(Duration::from_millis(milliseconds));
        // The output ends only when nothing holds it open any more.
        assert_eq!(command.run(&CancellationToken::new(), |_, _| ()).await.unwrap().end, End::Deadline);
    }
}

#[tokio::test]
async fn a_confined_process_gives_its_output_code_and_cpu_time() {
    let Some(command) = confined("i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done; echo done; exit 7") else {
        return;
    };
    let mut seen = Vec::new();
    let exit = command.run(&CancellationToken::new(), |_, line| seen.push(line.to_owned())).await.unwrap();
    assert_eq!((exit.end, seen), (End::Code(7), vec!["done".to_owned()]));
    let bwrap = confined("exit 0").unwrap().run(&CancellationToken::new(), |_, _| ()).await.unwrap().cpu;
    assert!(exit.cpu > bwrap, "{:?} with work, {bwrap:?} without", exit.cpu);
}

#[tokio::test]
async fn a_confined_process_inherits_only_its_streams() {
    let Some(command) = confined("ls /proc/self/fd | wc -l") else { return };
    // Input, output, errors and the folder that ls reads.
    assert_eq!(command.output(&CancellationToken::new()).await.unwrap().trim(), "4");
}

#[tokio::test]
async fn a_missing_program_is_named() {
    let error = Command::new("no-such-program", "/").run(&CancellationToken::new(), |_, _| ()).await.unwrap_err();
    assert!(matches!(error, ProcessError::NotFound { ref program, .. } if program == "no-such-program"));
}

#[tokio::test]
async fn the_environment_is_an_allow_list() {
    let output = Command::new("env", "/").env("A", "b").output(&CancellationToken::new()).await.unwrap();
    let names: Vec<&str> = output.lines().filter_map(|line| line.split('=').next()).collect();
    assert_eq!(names, ["A", "LC_ALL", "PATH", "TZ"]);
}

proptest::proptest! {
    // Each case starts a shell.
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 32, ..Default::default() })]

    #[test]
    fn a_shell_reads_every_replay_as_what_was_run(
        words in proptest::collection::vec("[^\\x00]{0,20}|[ -~\n\t]{0,20}|['\"\\\\$`!*~;&|<>(){} ]{0,8}", 0..20),
        value in "[^\\x00]{0,20}",
    ) {
        let print = "printf '%s\\0' \"$VALUE\" \"$@\"";
        let command = Command::new("sh", "/").args(["-c", print, "sh"]).args(&words).env("VALUE", &value);
        let said = std::process::Command::new("sh").arg("-c").arg(command.replay()).output().unwrap();
        proptest::prop_assert!(said.status.success(), "{}: {said:?}", command.replay());
        let expected: String = std::iter::once(&value).chain(&words).map(|word| format!("{word}\0")).collect();
        proptest::prop_assert_eq!(String::from_utf8(said.stdout).unwrap(), expected);
    }
}

#[test]
fn replay_quotes_what_a_shell_would_split() {
    let line = Command::new("make", "/a b").args(["O=/x", "KCFLAGS=-g -O2"]).replay();
    assert_eq!(line, "cd '/a b' && LC_ALL=C TZ=UTC make O=/x 'KCFLAGS=-g -O2'");
}

/// What a script that tries something prints when it is confined.
async fn tried(script: &str) -> Option<String> {
    let mut said = String::new();
    confined(&format!("exec 2>&1; {script}"))?
        .run(&CancellationToken::new(), |_, line| {
            said.push_str(line);
            said.push('\n');
        })
        .await
        .unwrap();
    Some(said)
}

#[tokio::test]
async fn a_confined_process_finds_no_secret() {
    let dir = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
    let canary = dir.path().join("secret");
    std::fs::write(&canary, "canary-4711").unwrap();
    let canary = canary.to_str().unwrap();
    let script = format!(
        "cat {canary} /etc/shadow /etc/gshadow /etc/ssh/*key /root/.ssh/* /root/.netrc /home/*/.ssh/*; \
         cat /proc/1/environ /proc/[0-9]*/environ | tr '\\0' '\\n'; ls -A /root /home /run /mnt /srv; \
         umount /root; umount /tmp; cat /root/.bashrc; echo end"
    );
    let Some(said) = tried(&script).await else { return };
    assert!(said.ends_with("end\n"), "{said}");
    for secret in ["canary-4711", "PRIVATE KEY", "root:*:", "root:!", "root:x:", "root:$"] {
        assert!(!said.contains(secret), "{said}");
    }
    let allowed = ["LC_ALL", "PATH", "PWD", "TZ", "SHLVL", "OLDPWD", "_"];
    for line in said.lines().filter(|line| !line.contains(':')) {
        let name = line.split('=').next().unwrap_or_default();
        assert!(!line.contains('=') || allowed.contains(&name), "{line}");
    }
}

#[tokio::test]
async fn a_confined_process_has_no_capability_and_cannot_get_one() {
    let script = "grep -h -E '^Cap(Eff|Prm|Bnd):|^NoNewPrivs' /proc/self/status; mount -t tmpfs x /tmp && echo MOUNTED; \
                  touch /usr/x /etc/x /x /dev/x && echo WROTE; mknod /tmp/sda b 8 0 && echo NODE";
    let Some(said) = tried(script).await else { return };
    let none = |name: &str| said.lines().any(|line| line == format!("{name}:\t0000000000000000"));
    assert!(none("CapEff") && none("CapPrm") && none("CapBnd"), "{said}");
    assert!(said.contains("NoNewPrivs:\t1"), "{said}");
    assert!(!said.contains("MOUNTED") && !said.contains("WROTE") && !said.contains("NODE"), "{said}");
}

#[tokio::test]
async fn a_confined_process_reaches_no_socket_of_the_host() {
    use std::os::linux::net::SocketAddrExt;
    let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    tcp.set_nonblocking(true).unwrap();
    let port = tcp.local_addr().unwrap().port();
    let name = format!("orchestrator-canary-{}", std::process::id());
    let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
    let hidden = std::os::unix::net::UnixListener::bind_addr(&address).unwrap();
    hidden.set_nonblocking(true).unwrap();
    // perl comes with every Debian and every kernel build.
    let script = format!(
        "(echo x > /dev/tcp/127.0.0.1/{port}) && echo REACHED; \
         perl -MSocket -e 'socket(S,PF_UNIX,SOCK_STREAM,0); connect(S,pack_sockaddr_un(\"\\0{name}\")) and print \"REACHED\\n\"; print \"tried\\n\"'"
    );
    let Some(command) =
        confined("").map(|_| Command::new("bash", "/").args(["-c", &script]).sandbox(Sandbox::default()))
    else {
        return;
    };
    let mut said = String::new();
    command.run(&CancellationToken::new(), |_, line| said.push_str(line)).await.unwrap();
    assert!(said.contains("tried") && !said.contains("REACHED"), "{said}");
    let blocked = |error: std::io::Error| error.kind() == std::io::ErrorKind::WouldBlock;
    assert!(tcp.accept().is_err_and(blocked) && hidden.accept().is_err_and(blocked));
}

#[tokio::test]
async fn a_confined_process_has_limits() {
    let Some(said) = tried("ulimit -f; ulimit -d; ulimit -c; df -P /tmp | tail -1").await else { return };
    let lines: Vec<&str> = said.lines().collect();
    let number = |at: usize| lines[at].parse::<u64>().unwrap_or_else(|_| panic!("not limited: {said}"));
    assert!(number(0) > 0 && number(1) > 0 && number(2) == 0, "{said}");
}
