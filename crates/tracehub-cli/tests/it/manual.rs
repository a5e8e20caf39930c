//! `completions` and `man`: made from the command line, so they cannot be behind it.

use crate::support::run;

const NOBODY: &str = "http://127.0.0.1:1";

#[test]
fn each_shell_gets_completions_of_each_command() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let (code, out, err) = run(NOBODY, &["completions", shell]);
        assert_eq!((code, err.as_str()), (0, ""), "{shell}");
        for word in ["tracehub-cli", "correlations", "export", "retries"] {
            assert!(out.contains(word), "{shell} lacks {word}");
        }
    }
    assert_eq!(run(NOBODY, &["completions", "cmd"]).0, 2);
}

#[test]
fn the_manual_has_a_page_for_the_program_and_for_each_command() {
    let (code, out, err) = run(NOBODY, &["man"]);
    assert_eq!((code, err.as_str()), (0, ""));
    for part in [".TH tracehub-cli 1", "TRACEHUB_URL", "tracehub\\-cli\\-export(1)", "Exit codes: 0 ok"] {
        assert!(out.contains(part), "{part}: {out}");
    }
    let (code, out, _) = run(NOBODY, &["man", "send"]);
    assert!(code == 0 && out.contains(".TH tracehub-cli-send 1") && out.contains("500 entries"), "{out}");
    let (code, _, err) = run(NOBODY, &["man", "frobnicate"]);
    assert!(code == 2 && err.contains("\"frobnicate\""), "{err}");
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("share/man1");
    assert_eq!(run(NOBODY, &["man", "--all", pages.to_str().unwrap()]).0, 0);
    for page in ["tracehub-cli.1", "tracehub-cli-send.1", "tracehub-cli-config-show.1"] {
        assert!(pages.join(page).is_file(), "{page}");
    }
    assert_eq!(run(NOBODY, &["man", "--all", "/dev/null/folder"]).0, 1);
}

#[test]
fn the_help_of_each_command_teaches_by_example() {
    for command in ["send", "export", "import", "completions", "man", "stats", "health"] {
        let (code, out, _) = run(NOBODY, &[command, "--help"]);
        assert!(code == 0 && out.contains("Example") && out.contains(&format!("tracehub-cli {command}")), "{out}");
    }
    assert!(run(NOBODY, &["help", "serve"]).1.contains("tracehub-cli serve --db"));
}
