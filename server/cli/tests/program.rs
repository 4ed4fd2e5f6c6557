//! The program as people run it: `serve` without any setting, the first sign-in, signals, administration beside it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at what it does not expect")]

use callout_cli::desk::{Desk, Http};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

fn callout(arguments: &[&str], data_dir: Option<&Path>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_callout"));
    command.args(arguments).env_remove("CALLOUT_DATABASE_URL").env("CALLOUT_LOG", "error");
    if let Some(folder) = data_dir {
        command.env("CALLOUT_DATA_DIR", folder);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn output(arguments: &[&str], data_dir: &Path) -> Output {
    callout(arguments, Some(data_dir)).output().unwrap()
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A running `callout serve`.
struct Served {
    child: Child,
    says: BufReader<ChildStdout>,
    http: Http,
}

impl Served {
    fn start(data_dir: &Path) -> Self {
        let mut child = callout(&["serve", "--listen", "127.0.0.1:0"], Some(data_dir)).spawn().unwrap();
        let mut says = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        says.read_line(&mut line).unwrap();
        let url = line.trim().rsplit(' ').next().unwrap().to_owned();
        Self { child, says, http: Http::new(url) }
    }

    /// Tells it to end, as a service manager does, and gives back what else it said.
    #[cfg(unix)]
    fn stop(mut self, signal: &str) -> String {
        let killed = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(killed.success());
        let status = self.child.wait().unwrap();
        assert!(status.success(), "it ends in good order on {signal}: {status}");
        let mut rest = String::new();
        self.says.read_to_string(&mut rest).unwrap();
        rest
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Ended already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The word after the first place where `before` stands.
fn word_after<'a>(text: &'a str, before: &str) -> &'a str {
    let at = text.find(before).unwrap_or_else(|| panic!("no {before:?} in {text}"));
    text[at + before.len()..].split_whitespace().next().unwrap()
}

#[cfg(unix)]
#[test]
fn serve_needs_no_setting_and_says_how_to_sign_in_once() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let served = Served::start(&data_dir);
    assert_eq!(served.http.send("GET", "/readyz", &[], &[]).unwrap().status, 200);
    let http = served.http.clone();
    // The password is printed before anything can be asked; the rest of the output is read when the program has ended.
    let said = served.stop("-TERM");
    let password = word_after(&said, "password ").to_owned();
    assert!(http.send("GET", "/readyz", &[], &[]).is_err(), "nobody listens any more");

    let again = Served::start(&data_dir);
    let admin = Desk::sign_in(&again.http, "admin", &password).unwrap();
    assert_eq!(admin.send("GET", "/v1/me", &[], &[]).unwrap().json()["roles"][0], "administrator");
    let said = again.stop("-INT");
    assert!(!said.contains(&password) && !said.contains("password"), "the password is shown once: {said}");

    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(&data_dir).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "keys and contact data are the owner's alone");
}

#[test]
fn administration_works_on_the_servers_machine() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path();
    let migrated = output(&["migrate"], data_dir);
    assert!(migrated.status.success(), "{}", text(&migrated));

    let mut add = callout(
        &["admin", "user-add", "lin", "--role", "regional_lead", "--all-regions", "--password-stdin"],
        Some(data_dir),
    );
    let mut child = add.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"a password of lin's\n").unwrap();
    let added = child.wait_with_output().unwrap();
    assert!(added.status.success(), "{}", text(&added));
    assert!(!text(&added).contains("a password of"), "what was typed is not shown");

    let served = Served::start(data_dir);
    let old = Desk::sign_in(&served.http, "lin", "a password of lin's").unwrap();
    let reset = output(&["admin", "password", "lin"], data_dir);
    assert!(reset.status.success(), "{}", text(&reset));
    let new = word_after(&text(&reset), "only this once): ").to_owned();
    assert_eq!(
        Desk::sign_in(&served.http, "lin", "a password of lin's").unwrap_err().problem(),
        Some("wrong-credentials")
    );
    assert_eq!(old.send("GET", "/v1/me", &[], &[]).unwrap().status, 401, "a new password ends the old sessions");
    let lin = Desk::sign_in(&served.http, "lin", &new).unwrap();

    let rotated = output(&["admin", "rotate-keys"], data_dir);
    assert!(rotated.status.success(), "{}", text(&rotated));
    assert_eq!(lin.send("GET", "/v1/me", &[], &[]).unwrap().status, 200, "tokens of the old key stay good");

    let verified = output(&["admin", "audit", "verify"], data_dir);
    assert!(verified.status.success(), "{}", text(&verified));
    assert!(!text(&verified).starts_with("0 events"), "{}", text(&verified));

    for wrong in [
        &["admin", "password", "nobody"][..],
        &["admin", "user-add", "x", "--role", "king"],
        &["admin", "user-add", "x", "--role", "auditor", "--region", "not-an-id"],
        &["admin", "user-add", "lin", "--role", "auditor"],
        &["serve", "--listen", "nowhere"],
        &["serve", "--database-url", "mysql://localhost/x"],
    ] {
        let refused = output(wrong, data_dir);
        assert!(!refused.status.success(), "{wrong:?}");
        assert!(!refused.stderr.is_empty(), "{wrong:?} says why");
    }
}

#[test]
fn openapi_prints_and_compares() {
    let folder = tempfile::tempdir().unwrap();
    let printed = output(&["openapi"], folder.path());
    assert!(printed.status.success());
    let file = folder.path().join("openapi.json");
    std::fs::write(&file, &printed.stdout).unwrap();
    let name = file.to_str().unwrap();
    assert!(output(&["openapi", "--check", name], folder.path()).status.success());
    std::fs::write(&file, [&printed.stdout[..], b"\n"].concat()).unwrap();
    let differs = output(&["openapi", "--check", name], folder.path());
    assert!(!differs.status.success());
    assert!(text(&differs).contains("line"), "{}", text(&differs));
}

#[test]
fn a_password_in_an_argument_is_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let url = "postgres://user:s3cret@127.0.0.1:1/none";
    let refused = output(&["migrate", "--database-url", url], folder.path());
    assert!(!refused.status.success());
    let said = text(&refused);
    assert!(said.contains("CALLOUT_DATABASE_URL") && !said.contains("s3cret"), "{said}");
}
