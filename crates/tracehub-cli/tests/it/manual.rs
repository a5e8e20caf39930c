//! `completions` and `man`: made from the command line, so they cannot be behind it.

use std::io::Write as _;
use std::process::{Command, Stdio};

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

/// Loads the completions for bash as a login shell does, and asks for each line what could follow.
const ASK_BASH: &str = r#"
source <("$0" completions bash) || exit 1
while IFS= read -r line; do
    read -ra COMP_WORDS <<<"$line"
    [[ $line == *" " ]] && COMP_WORDS+=("")
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMPREPLY=()
    [[ $(complete -p tracehub-cli) =~ -F\ ([^ ]+) ]]
    "${BASH_REMATCH[1]}" tracehub-cli "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
    echo "${COMPREPLY[*]}"
done
"#;

#[test]
fn bash_completes_the_flags_of_each_command() {
    let lines = [
        ("tracehub-cli corr", "correlations"),
        ("tracehub-cli -o ", "table json ndjson raw"),
        ("tracehub-cli correlations --inc", "--incomplete"),
        ("tracehub-cli list --min", "--min-duration"),
        ("tracehub-cli show --fol", "--follow"),
        ("tracehub-cli tail --no-f", "--no-follow"),
        ("tracehub-cli recent --aft", "--after"),
        ("tracehub-cli diff --rel", "--relative"),
        ("tracehub-cli stats --col", "--color"),
        ("tracehub-cli health --color n", "never"),
        ("tracehub-cli send --retr", "--retries"),
        ("tracehub-cli import --retr", "--retries"),
        ("tracehub-cli cleanup --ye", "--yes"),
        ("tracehub-cli export --output-f", "--output-file"),
        ("tracehub-cli completions po", "powershell"),
        ("tracehub-cli man --al", "--all"),
        ("tracehub-cli config sh", "show"),
        ("tracehub-cli config show --ut", "--utc"),
        ("tracehub-cli help tai", "tail"),
    ];
    let mut bash = Command::new("bash");
    bash.args(["--norc", "-c", ASK_BASH, env!("CARGO_BIN_EXE_tracehub-cli")]);
    let mut child = bash.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("bash is there");
    let typed = lines.map(|(line, _)| format!("{line}\n")).concat();
    child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let answers = String::from_utf8(output.stdout).unwrap();
    let expected = lines.map(|(_, answer)| format!("{answer}\n")).concat();
    assert_eq!(answers, expected);
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
