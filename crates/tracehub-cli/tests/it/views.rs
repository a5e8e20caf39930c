//! How the commands that look at traces behave: what they ask, what they find, what they draw again.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::pty::Pty;
use crate::support::{Server, chain, cli, entry, run};

const EMPTY: &str = r#"{"correlations":[],"count":0}"#;

fn list(ids: &[&str], next: Option<u32>) -> String {
    let chains: Vec<String> = ids
        .iter()
        .map(|id| {
            format!(
                r#"{{"correlation_id":"{id}","trace_count":1,"first_ts":1.0,"last_ts":2.0,"duration_ms":1,"sources":["MA"],"complete":false}}"#
            )
        })
        .collect();
    let next = next.map_or_else(String::new, |next| format!(r#","next_cursor":{next}"#));
    format!(r#"{{"correlations":[{}],"count":{}{next}}}"#, chains.join(","), ids.len())
}

fn interrupt(mut child: Child) -> Option<i32> {
    let status = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("it works");
    assert!(status.success());
    child.wait().expect("it works").code()
}

fn seen(server: &Server) -> Vec<String> {
    server.seen.lock().expect("it works").clone()
}

/// Waits until the server was asked so many times.
fn asked(server: &Server, times: usize) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while seen(server).len() < times {
        assert!(Instant::now() < deadline, "{:?}", seen(server));
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn filters_are_asked_for() {
    let server = Server::json("/correlations", 200, &list(&["a"], None));
    let args = "correlations --incomplete --source MA --endpoint /x --host web --operation REST --prefix ord \
                --min-duration 1500ms --since 2024-02-01T16:00:00Z --cursor 9";
    assert_eq!(run(&server.url, &args.split_whitespace().collect::<Vec<_>>()).0, 0);
    let asked = &seen(&server)[0];
    for part in [
        "status=incomplete",
        "source=MA",
        "endpoint=%2Fx",
        "host=web",
        "operation=REST",
        "q=ord",
        "min_duration_ms=1500",
        "since=1706803200000",
        "cursor=9",
        "limit=50",
    ] {
        assert!(asked.contains(part), "{part} in {asked}");
    }
    let server = Server::json("/correlations", 200, EMPTY);
    assert_eq!(run(&server.url, &["correlations", "--complete"]).1, "no chain matches\n");
    assert_eq!(run(&server.url, &["correlations"]).1, "no chains yet\n");
}

#[test]
fn a_short_page_is_not_the_end_of_a_list() {
    let page = |query, ids: &[&str], next| (query, 200, "application/json", list(ids, next));
    let server = Server::answering(vec![
        page("/correlations?include=complete&limit=1000&cursor=5", &["c"], None),
        page("/correlations?include=complete&limit=1000", &["a", "b"], Some(5)),
        page("/correlations?include=complete&limit=2&cursor=7", &[], Some(6)),
        page("/correlations?include=complete&limit=2&cursor=6", &["y", "z"], Some(3)),
        page("/correlations?include=complete&limit=3", &["x"], Some(7)),
    ]);
    assert_eq!(run(&server.url, &["correlations", "-n", "3", "-o", "raw"]).1, "x\ny\nz\n");
    assert_eq!(run(&server.url, &["correlations", "--all", "-o", "raw"]).1, "a\nb\nc\n");
    let (_, all, _) = run(&server.url, &["correlations", "--all", "-o", "json"]);
    assert_eq!(all, format!("{}\n", list(&["a", "b", "c"], None)));
    let (_, table, _) = run(&server.url, &["correlations", "--all"]);
    assert_eq!(table.lines().count(), 4, "{table}");
}

#[test]
fn the_beginning_of_an_id_is_enough_where_only_one_has_it() {
    let json = |path, body: String| (path, 200, "application/json", body);
    let empty = chain(&[], false);
    let server = Server::answering(vec![
        json("/traces/c1", chain(&[entry("->", "a", 1.0)], false)),
        json("/traces/", empty),
        json("/correlations?include=complete&limit=6&q=order-99", EMPTY.to_owned()),
        json("/correlations?include=complete&limit=6&q=order-9", EMPTY.to_owned()),
        json("/correlations?include=complete&limit=6&q=or", list(&["order-41", "order-42"], None)),
        json("/correlations?include=complete&limit=6&q=o", list(&["order-41", "order-42"], None)),
        json("/correlations?include=complete&limit=6&q=c", list(&["c1"], None)),
        json("/correlations", EMPTY.to_owned()),
    ]);
    let (code, out, err) = run(&server.url, &["show", "c"]);
    assert!(code == 0 && out.starts_with("c1  incomplete") && err.is_empty(), "{out}{err}");
    let (code, _, err) = run(&server.url, &["show", "or"]);
    assert_eq!(
        (code, err.as_str()),
        (3, "tracehub-cli: \"or\" begins several ids; say more of it: order-41, order-42\n")
    );
    let (code, _, err) = run(&server.url, &["show", "order-99"]);
    assert!(code == 3 && err.contains("nothing for correlation id \"order-99\""), "{err}");
    assert!(err.ends_with("; nearest: order-41, order-42\n"), "{err}");
}

/// Where thousands of chains begin so, the most recent ones may be others.
#[test]
fn an_empty_page_does_not_say_that_no_id_begins_so() {
    let page = |query, ids: &[&str], next| (query, 200, "application/json", list(ids, next));
    let server = Server::answering(vec![
        ("/traces/c1", 200, "application/json", chain(&[entry("->", "a", 1.0)], false)),
        ("/traces/", 200, "application/json", chain(&[], false)),
        page("/correlations?include=complete&limit=6&q=order-1&cursor=2000", &["order-12"], None),
        page("/correlations?include=complete&limit=6&q=order-1&cursor=3000", &["order-11"], Some(2_000)),
        page("/correlations?include=complete&limit=6&q=order-1&cursor=9000", &[], Some(3_000)),
        page("/correlations?include=complete&limit=6&q=order-1", &[], Some(9_000)),
        page("/correlations?include=complete&limit=6&q=c&cursor=9000", &["c1"], None),
        page("/correlations?include=complete&limit=6&q=c", &[], Some(9_000)),
        page("/correlations", &[], None),
    ]);
    let (code, _, err) = run(&server.url, &["show", "order-1"]);
    let several = "tracehub-cli: \"order-1\" begins several ids; say more of it: order-11, order-12\n";
    assert_eq!((code, err.as_str()), (3, several));
    let (code, out, err) = run(&server.url, &["show", "c"]);
    assert!(code == 0 && out.starts_with("c1  incomplete") && err.is_empty(), "{out}{err}");
}

/// As if every page were full of others, for ever.
#[test]
fn what_is_not_found_in_many_pages_is_not_looked_for_for_ever() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for (asked, connection) in listener.incoming().enumerate() {
            let mut connection = connection.unwrap();
            let mut request = BufReader::new(connection.try_clone().unwrap()).lines().map_while(Result::ok);
            let is_list = request.next().unwrap().contains("/correlations");
            request.find(String::is_empty).unwrap();
            let cursor = u32::MAX - u32::try_from(asked).unwrap();
            let body = if is_list { list(&[], Some(cursor)) } else { chain(&[], false) };
            let head = "HTTP/1.1 200 X\r\ncontent-type: application/json\r\nconnection: close";
            write!(connection, "{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
        }
    });
    let (code, _, err) = run(&url, &["show", "order-1"]);
    assert_eq!((code, err.as_str()), (3, "tracehub-cli: \"order-1\" begins many ids; say more of it\n"));
}

#[test]
fn the_beginning_of_an_id_is_enough_on_the_python_server_too() {
    // It passes over what it does not know, and never says whether a chain is complete.
    let python = list(&["order-42", "order-41", "other"], None).replace(r#","complete":false"#, "");
    let json = |path, body: String| (path, 200, "application/json", body);
    let server = Server::answering(vec![
        json("/traces/other", chain(&[entry("->", "a", 1.0)], false)),
        json("/traces/", chain(&[], false)),
        json("/correlations", python),
    ]);
    let (code, out, err) = run(&server.url, &["show", "oth"]);
    assert!(code == 0 && out.starts_with("c1  incomplete"), "{out}{err}");
    let (code, _, err) = run(&server.url, &["show", "order-9"]);
    assert!(code == 3 && err.ends_with("; nearest: order-42, order-41\n"), "{err}");
    let (code, _, err) = run(&server.url, &["correlations", "--incomplete"]);
    assert!(code == 1 && err.contains("with filters; the Python server lacks it"), "{err}");
}

#[test]
fn both_sides_of_a_comparison_may_be_beginnings() {
    let side = |id: &str, count: u32| {
        format!(r#"{{"correlation_id":"{id}","count":{count},"complete":true,"duration_ms":1.0}}"#)
    };
    let compared = |a: &str, b: &str, count| {
        format!(r#"{{"a":{},"b":{},"calls":[],"missing":0,"added":0}}"#, side(a, 2), side(b, count))
    };
    let json = |path, body: String| (path, 200, "application/json", body);
    let server = Server::answering(vec![
        json("/compare?a=a&b=b1", compared("a", "b1", 2)),
        json("/compare?a=a&b=b", compared("a", "b", 0)),
        json("/correlations?include=complete&limit=6&q=b", list(&["b1"], None)),
    ]);
    let (code, out, _) = run(&server.url, &["diff", "a", "b"]);
    assert!(code == 0 && out.contains("b1") && out.contains("no difference"), "{out}");
}

#[test]
fn what_is_followed_is_filtered_and_begins_when_asked() {
    let events = "data: {\"type\": \"timeout\"}\n\n".to_owned();
    let recent = r#"{"traces":[],"count":0,"last_id":17}"#.to_owned();
    let server = Server::answering(vec![
        ("/recent?since=1706803200000&limit=0", 200, "application/json", recent.clone()),
        ("/recent?", 200, "application/json", recent),
        ("/", 200, "text/event-stream", events),
    ]);
    let args = "tail --no-follow --since 2024-02-01T16:00:00Z --source MA --endpoint /x --host web --operation REST \
                --prefix ord";
    assert_eq!(run(&server.url, &args.split_whitespace().collect::<Vec<_>>()).0, 0);
    let asked = seen(&server);
    let stream = asked.iter().find(|line| line.contains("/stream")).expect("a stream");
    for part in ["source=MA", "endpoint=%2Fx", "host=web", "operation=REST", "correlation_id=ord", "timeout=0"] {
        assert!(stream.contains(part), "{part} in {stream}");
    }
    assert!(asked[0].contains("/recent"), "{asked:?}");
}

/// Follows a chain over a lost connection; gives what was shown, and what was said of it.
fn tailed_twice(server: &Server) -> (String, String) {
    let mut command = cli(&server.url, &["tail", "c1", "-o", "ndjson"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    // The stream twice, what is newest before the second, and again before the third.
    asked(server, 4);
    let (mut out, mut err) = (child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
    assert_eq!(interrupt(child), Some(130));
    let (mut lines, mut said) = (String::new(), String::new());
    out.read_to_string(&mut lines).expect("text");
    err.read_to_string(&mut said).expect("text");
    (lines, said)
}

#[test]
fn a_lost_connection_is_waited_for_and_said_once() {
    let event = |id: u32| format!("id: {id}\ndata: {}\n\n", entry("->", &id.to_string(), f64::from(id)));
    let body = event(1) + &event(2);
    let server = Server::answering(vec![("/traces/c1/stream", 200, "text/event-stream", body)]);
    let (lines, said) = tailed_twice(&server);
    // The same events come again, and each is shown once.
    assert_eq!(lines.lines().count(), 2, "{lines}");
    let said: Vec<&str> = said.lines().filter(|line| line.contains("warning")).collect();
    assert!(
        matches!(said.as_slice(), [lost, found]
            if lost.ends_with("; trying again until it is back") && found.ends_with("connected again")),
        "{said:?}"
    );
}

#[test]
fn a_server_that_comes_back_with_a_new_database_is_followed_from_its_beginning() {
    let event = |id: u32| format!("id: {id}\ndata: {}\n\n", entry("->", &id.to_string(), f64::from(id)));
    let server = Server::answering(vec![
        ("/traces/c1/stream", 200, "text/event-stream", event(1) + &event(2)),
        ("/recent", 200, "application/json", r#"{"traces":[],"count":0,"last_id":1}"#.to_owned()),
    ]);
    let (lines, said) = tailed_twice(&server);
    assert!(lines.lines().count() >= 4, "{lines}");
    assert!(said.contains("connected again; what the server had is gone (has it a new database?)"), "{said}");
}

#[test]
fn a_watched_list_is_drawn_in_the_same_place_of_a_terminal() {
    let server = Server::json("/correlations", 200, &list(&["a", "b"], None));
    let pty = Pty::sized(80, 3);
    let mut command = cli(&server.url, &["correlations", "--watch=50ms"]);
    let child = command.stdout(pty.terminal()).spawn().unwrap();
    drop(command);
    asked(&server, 3);
    assert_eq!(interrupt(child), Some(130));
    let seen = pty.read();
    assert!(seen.starts_with("\u{1b}[H\u{1b}[2J") && seen.matches("\u{1b}[H").count() >= 2, "{seen:?}");
    assert_eq!(seen.matches("\u{1b}[2J").count(), 1, "it flickers: {seen:?}");
    // A heading and one chain; the last line is the cursor's.
    assert!(seen.contains("… 2 more below"), "{seen:?}");
}

#[test]
fn a_watched_list_elsewhere_comes_again_and_again() {
    let server = Server::json("/correlations", 200, &list(&["a"], None));
    let mut child =
        cli(&server.url, &["correlations", "--watch=20ms", "-o", "raw"]).stdout(Stdio::piped()).spawn().unwrap();
    asked(&server, 4);
    let mut out = child.stdout.take().unwrap();
    assert_eq!(interrupt(child), Some(130));
    let mut text = String::new();
    out.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("a\na\n") && !text.contains('\u{1b}'), "{text:?}");
}

#[test]
fn a_chain_that_is_followed_is_drawn_as_it_grows() {
    let stream = format!("id: 1\ndata: {}\n\n", entry("->", "a", 1.0));
    let server = Server::answering(vec![
        ("/traces/c1/stream", 200, "text/event-stream", stream),
        ("/traces/c1", 200, "application/json", chain(&[entry("->", "a", 1.0)], false)),
    ]);
    let pty = Pty::sized(100, 24);
    let mut command = cli(&server.url, &["show", "c1", "--follow", "--as-of", "5000"]);
    let child = command.stdout(pty.terminal()).stderr(Stdio::null()).spawn().unwrap();
    drop(command);
    // Once when it came, and again when it was older.
    let mut seen = String::new();
    while seen.matches("\u{1b}[H").count() < 2 {
        seen += &pty.wait_for("\u{1b}[H");
    }
    assert_eq!(interrupt(child), Some(130));
    seen += &pty.read();
    assert!(seen.contains("unfinished for 5.00 s"), "{seen:?}");
}

#[test]
fn a_terminal_gets_colours_unless_they_are_not_wanted() {
    let server = Server::json("/traces/c1", 200, &chain(&[entry("->", "a", 1.0)], false));
    let on_a_terminal = |variables: &[(&str, &str)], args: &[&str]| {
        let pty = Pty::sized(100, 24);
        let mut command = cli(&server.url, &[&["show", "c1"], args].concat());
        let mut child =
            command.env("TERM", "xterm").envs(variables.iter().copied()).stdout(pty.terminal()).spawn().unwrap();
        drop(command);
        let seen = pty.read();
        assert!(child.wait().unwrap().success());
        seen
    };
    assert!(on_a_terminal(&[], &[]).contains("\u{1b}[31munfinished"));
    assert!(!on_a_terminal(&[("NO_COLOR", "1")], &[]).contains('\u{1b}'));
    assert!(!on_a_terminal(&[("TERM", "dumb")], &[]).contains('\u{1b}'));
    assert!(!on_a_terminal(&[], &["--color", "never"]).contains('\u{1b}'));
    assert!(on_a_terminal(&[("NO_COLOR", "1")], &["--color", "always"]).contains('\u{1b}'));
    // Where the writing would run backwards or the terminal would obey, there are escapes instead.
    let odd = Server::json(
        "/traces/c1",
        200,
        &chain(&[entry("->", "a", 1.0).replace("/orders", "/\u{202e}\u{9b}2J")], false),
    );
    let pty = Pty::sized(100, 24);
    let mut command = cli(&odd.url, &["show", "c1", "-o", "json"]);
    let mut child = command.stdout(pty.terminal()).spawn().unwrap();
    drop(command);
    assert!(pty.read().contains("/\\u202e\\u009b2J") && child.wait().unwrap().success());
}
