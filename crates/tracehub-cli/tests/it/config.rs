//! The config file: what goes before what, what is refused, what is warned of.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Output;

use crate::support::{Server, cli};

struct Home(tempfile::TempDir);

impl Home {
    /// A home whose config file has this text and mode.
    fn with(text: &str, mode: u32) -> Self {
        let home = Self(tempfile::tempdir().expect("a temporary folder"));
        std::fs::create_dir_all(home.path().parent().expect("a folder")).expect("the folder is made");
        Self::write(&home.path(), text, mode);
        home
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("tracehub/config.toml")
    }

    fn write(path: &Path, text: &str, mode: u32) {
        std::fs::write(path, text).expect("the file is written");
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("its mode is set");
    }

    /// Without `TRACEHUB_URL`, unless it is among the variables.
    fn run(&self, args: &[&str], variables: &[(&str, &str)]) -> (i32, String, String) {
        let mut command = cli("", args);
        command.env_remove("TRACEHUB_URL").env("XDG_CONFIG_HOME", self.0.path()).envs(variables.iter().copied());
        let Output { status, stdout, stderr } = command.output().expect("it runs");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        (status.code().expect("an exit code"), text(stdout), text(stderr))
    }
}

#[test]
fn each_value_is_shown_with_where_it_came_from() {
    let home = Home::with("url = \"http://file\"\nsecret = \"hunter2\"\nutc = true\ncolor = \"never\"\n", 0o600);
    let (code, out, err) = home.run(&["config", "show", "--color", "always"], &[("TRACEHUB_URL", "http://env")]);
    assert_eq!((code, err.as_str()), (0, ""));
    let plain = anstream::adapter::strip_str(&out).to_string();
    assert_eq!(
        plain,
        format!(
            "config file {}\n\nSETTING          VALUE       FROM\n\
             url              http://env  environment\n\
             secret           ********    file\n\
             tls_ca           -           default\n\
             output           table       default\n\
             color            always      flag\n\
             utc              true        file\n\
             request_timeout  10          default\n\
             pager            less -FRX   default\n",
            home.path().display()
        )
    );
    let (_, out, _) = home.run(
        &["--url", "http://flag", "-o", "json", "config", "show"],
        &[("TRACEHUB_URL", "http://env"), ("TRACEHUB_SECRET", "other")],
    );
    let shown: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(shown["file"], home.path().to_str().unwrap());
    assert_eq!(shown["settings"]["url"], serde_json::json!({"value": "http://flag", "from": "flag"}));
    assert_eq!(shown["settings"]["secret"], serde_json::json!({"value": "********", "from": "environment"}));
    assert_eq!(shown["settings"]["output"], serde_json::json!({"value": "json", "from": "flag"}));
    assert!(!out.contains("hunter2") && !out.contains("other"));
}

#[test]
fn without_a_file_everything_is_the_default() {
    let home = Home::with("", 0o644);
    std::fs::remove_file(home.path()).unwrap();
    let (code, out, err) = home.run(&["config", "show"], &[]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.contains("(not there)") && out.contains("url              http://127.0.0.1:8099  default"), "{out}");
    assert!(out.contains("secret           -  "), "{out}");
    let (code, _, err) = home.run(&["--config", "/no/such.toml", "config", "show"], &[]);
    assert!(code == 2 && err.contains("/no/such.toml"), "{err}");
}

#[test]
fn a_pager_and_a_timeout_may_stand_there_too() {
    let home = Home::with("pager = \"less -S\"\nrequest_timeout = 3\n", 0o644);
    let shown = |args: &[&str], variables: &[(&str, &str)]| {
        let (code, out, err) = home.run(&[&["config", "show", "-o", "json"], args].concat(), variables);
        assert_eq!((code, err.as_str()), (0, ""));
        let shown: serde_json::Value = serde_json::from_str(&out).unwrap();
        let setting = |name: &str| {
            let setting = &shown["settings"][name];
            format!("{} {}", setting["value"].as_str().unwrap_or("-"), setting["from"].as_str().unwrap())
        };
        (setting("pager"), setting("request_timeout"))
    };
    let pair = |pager: &str, timeout: &str| (pager.to_owned(), timeout.to_owned());
    assert_eq!(shown(&[], &[("PAGER", "more")]), pair("less -S file", "3 file"));
    assert_eq!(shown(&["--request-timeout", "7"], &[("TRACEHUB_PAGER", "most")]), pair("most environment", "7 flag"));
    assert_eq!(shown(&["--no-pager"], &[]).0, "- flag");
    // It is waited for as long as the file says.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let home = Home::with("request_timeout = 1\n", 0o644);
    let (code, _, err) = home.run(&["health"], &[("TRACEHUB_URL", &url)]);
    assert!(code == 5 && err.contains("did not answer within 1s; --request-timeout waits longer"), "{err}");
}

#[test]
fn the_file_is_used() {
    let server =
        Server::json("/health", 200, r#"{"status":"healthy","service":"tracehub","db":"d","retention_hours":1}"#);
    let text = format!("url = \"{}\"\noutput = \"json\"\nsecret_file = \"secret\"\n", server.url);
    let home = Home::with(&text, 0o644);
    Home::write(&home.path().with_file_name("secret"), "hunter2\n", 0o600);
    let (code, out, err) = home.run(&["health"], &[]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.starts_with("{\"status\""), "{out}");
    assert!(server.seen.lock().unwrap().iter().any(|line| line.ends_with(": hunter2")));
    assert!(home.run(&["-o", "table", "health"], &[]).1.starts_with("healthy"));
}

#[test]
fn what_is_wrong_is_named_with_its_file() {
    for (text, part) in [
        ("url = \"http://h\"\nurll = \"x\"\n", "line 2: unknown field `urll`"),
        ("output = \"xml\"", "output is \"xml\" and must be one of table, json, ndjson, raw"),
        ("color = \"red\"", "color is \"red\""),
        ("utc = \"yes\"", "line 1: "),
        ("secret = \"a\"\nsecret_file = \"b\"", "cannot both be given"),
        ("secret_file = \"nowhere\"", "nowhere cannot be read"),
        ("url = ", "line 1: "),
        ("request_timeout = 0", "request_timeout is 0 and must be from 1 to 3600 seconds"),
    ] {
        let home = Home::with(text, 0o600);
        for command in [&["health"][..], &["config", "show"]] {
            let (code, out, err) = home.run(command, &[]);
            assert_eq!((code, out.as_str()), (2, ""), "{err}");
            assert!(err.contains(part) && err.contains(home.path().to_str().unwrap()), "{text}: {err}");
            assert_eq!(err.lines().count(), 1, "{err}");
        }
        // These have no use for it.
        assert_eq!(home.run(&["completions", "bash"], &[]).0, 0);
    }
}

#[test]
fn a_secret_that_others_can_read_is_warned_of() {
    let home = Home::with("secret = \"hunter2\"", 0o644);
    let (code, _, err) = home.run(&["config", "show"], &[]);
    assert_eq!(code, 0);
    assert!(
        err.contains("warning") && err.contains("chmod 600") && err.contains(home.path().to_str().unwrap()),
        "{err}"
    );
    assert!(!err.contains("hunter2"));
    let home = Home::with("url = \"http://h\"", 0o644);
    assert_eq!(home.run(&["config", "show"], &[]).2, "");
}
