//! `stats` and `health`, for people, for programs, and by their exit codes.

use crate::support::{Server, run};

const STATS: &str = r#"{"version":"0.1.0","uptime_seconds":11220.5,"stored":{"entries":1204331,"chains_at_most":20000,"newest_id":1300000,"database_bytes":178400000,"wal_bytes":4194304},"queue":{"entries":1,"bytes":512},"streams":2,"since_start":{"inserted":1204331,"duplicates":12,"refused_requests":1}}"#;

#[test]
fn stats_as_a_table_and_as_the_servers_json() {
    let server = Server::json("/stats", 200, STATS);
    let (code, out, err) = run(&server.url, &["stats"]);
    assert_eq!((code, err.as_str()), (0, ""));
    let url = &server.url;
    assert_eq!(
        out,
        format!(
            "server       {url}  0.1.0, up 3 h 07 m\n\
             entries      1,204,331, the newest is 1300000\n\
             chains       20,000 at the most\n\
             database     178.4 MB, and 4.2 MB of log\n\
             queue        1 entry, 512 B\n\
             streams      2 open\n\
             since start  1,204,331 inserted, 12 duplicates, 1 request refused\n"
        )
    );
    assert_eq!(run(url, &["stats", "-o", "json"]).1, format!("{STATS}\n"));
}

#[test]
fn stats_that_cannot_be_had() {
    assert_eq!(run("http://127.0.0.1:1", &["stats"]).0, 5);
    let older = Server::json("/stats", 404, r#"{"detail":"Not Found"}"#);
    let (code, _, err) = run(&older.url, &["stats"]);
    assert!(code == 1 && err.contains("GET /stats"), "{err}");
    let refused = Server::json("/stats", 403, "{}");
    assert_eq!(run(&refused.url, &["stats"]).0, 4);
}

#[test]
fn a_server_that_is_not_well_is_1() {
    let ill = r#"{"status":"failing","service":"tracehub","db":"/tmp/t.db","retention_hours":24}"#;
    let server = Server::json("/health", 200, ill);
    let (code, out, err) = run(&server.url, &["health"]);
    assert!(code == 1 && out.starts_with("failing  ") && err.contains("\"failing\""), "{out}{err}");
    let (code, out, _) = run(&server.url, &["health", "-o", "json"]);
    assert_eq!((code, out), (1, format!("{ill}\n")));
}
