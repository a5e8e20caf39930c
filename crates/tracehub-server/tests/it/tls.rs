//! HTTPS: a certificate made here, checked by a client that trusts it alone.

use std::fs;
use std::path::PathBuf;
use std::process::Output;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tracehub_client::{FlushOutcome, QueryError, TraceEntry, TraceHubClient, TraceHubQueryClient};

use crate::access::SECRET;
use crate::raw::{answer, connect, ends};
use crate::support::{Server, command};

/// A certificate for `localhost` and its key, in files.
struct Certificate {
    chain: PathBuf,
    key: PathBuf,
    der: CertificateDer<'static>,
}

impl Certificate {
    fn new(folder: &TempDir, name: &str) -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let path = |kind: &str| folder.path().join(format!("{name}.{kind}"));
        fs::write(path("pem"), made.cert.pem()).expect("the certificate is written");
        fs::write(path("key"), made.signing_key.serialize_pem()).expect("the key is written");
        Self { chain: path("pem"), key: path("key"), der: made.cert.der().clone() }
    }

    fn args(&self) -> [&str; 4] {
        let text = |path: &'_ PathBuf| -> &str { path.to_str().expect("a text").to_owned().leak() };
        ["--tls-cert", text(&self.chain), "--tls-key", text(&self.key)]
    }

    /// A connection of a client that trusts this certificate and no other.
    async fn connect(&self, server: &Server) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.der.clone()).expect("a certificate");
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = config.with_safe_default_protocol_versions().expect("TLS 1.2 and 1.3");
        let config = config.with_root_certificates(roots).with_no_client_auth();
        let name = ServerName::try_from("localhost").expect("a name");
        TlsConnector::from(Arc::new(config)).connect(name, connect(server).await).await
    }
}

fn guarded() -> (Server, Certificate) {
    let folder = TempDir::new().expect("a temporary folder");
    let certificate = Certificate::new(&folder, "good");
    let mut command = command(&folder.path().join("tracehub.db"));
    command.args(certificate.args()).env("TRACEHUB_SECRET", SECRET);
    (Server::spawn(folder, &mut command), certificate)
}

#[tokio::test]
async fn entries_go_in_and_out_and_the_cookie_is_for_https_alone() {
    let (server, certificate) = guarded();
    assert!(server.url.starts_with("https://127.0.0.1:"), "{}", server.url);
    let mut stream = certificate.connect(&server).await.unwrap();
    let entry = crate::support::entry("c", 1.0, "s", "->");
    let large = json!({ "traces": [entry], "padding": "x".repeat(1 << 20) }).to_string();
    let head = |line: &str, length: usize| {
        format!(
            "{line} HTTP/1.1\r\nhost: localhost\r\nx-tracehub-secret: {SECRET}\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n\r\n"
        )
    };
    stream.write_all(format!("{}{large}", head("POST /ingest", large.len())).as_bytes()).await.unwrap();
    assert_eq!(answer(&mut stream).await.unwrap().body, json!({"accepted":1,"inserted":1,"duplicates":0}));
    stream.write_all(head("GET /traces/c", 0).as_bytes()).await.unwrap();
    assert_eq!(answer(&mut stream).await.unwrap().body["count"], 1);
    for (line, body, expected) in [
        ("POST /login", json!({ "secret": SECRET }).to_string(), "; HttpOnly; SameSite=Strict; Path=/; Secure\r\n"),
        ("POST /logout", String::new(), "=; HttpOnly; SameSite=Strict; Path=/; Secure; Max-Age=0\r\n"),
    ] {
        stream.write_all(format!("{}{body}", head(line, body.len())).as_bytes()).await.unwrap();
        let answer = answer(&mut stream).await.unwrap();
        assert_eq!(answer.status, 204);
        assert!(answer.head.contains(expected), "{answer:?}");
    }
}

#[tokio::test]
async fn strangers_and_plain_http_get_nowhere() {
    let (server, _) = guarded();
    let elsewhere = TempDir::new().unwrap();
    assert!(
        Certificate::new(&elsewhere, "other").connect(&server).await.is_err(),
        "another certificate is not trusted"
    );
    let mut plain = connect(&server).await;
    plain.write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    assert!(ends(&mut plain).await, "there is no answer in the clear but the alert that ends it");
}

#[tokio::test]
async fn the_deadlines_hold_and_refusals_are_json() {
    let (server, certificate) = guarded();
    let silent = async {
        let began = Instant::now();
        assert!(ends(&mut connect(&server).await).await);
        began.elapsed().as_millis()
    };
    let slow_head = async {
        let mut stream = certificate.connect(&server).await.unwrap();
        let began = Instant::now();
        stream.write_all(b"GET /health HTTP/1.1\r\nx: ").await.unwrap();
        let refusal = answer(&mut stream).await.unwrap();
        assert_eq!((refusal.status, &refusal.body["error"]), (408, &json!("request_timeout")));
        began.elapsed().as_millis()
    };
    let slow_body = async {
        let mut stream = certificate.connect(&server).await.unwrap();
        let began = Instant::now();
        let head =
            "POST /ingest HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 9\r\n";
        stream.write_all(format!("{head}x-tracehub-secret: {SECRET}\r\n\r\n{{").as_bytes()).await.unwrap();
        let refusal = answer(&mut stream).await.unwrap();
        assert_eq!((refusal.status, &refusal.body["error"]), (408, &json!("request_timeout")));
        began.elapsed().as_millis()
    };
    let (silent, head, body) = tokio::join!(silent, slow_head, slow_body);
    for took in [silent, head, body] {
        assert!((4_500..9_000).contains(&took), "{silent} {head} {body}");
    }
    let mut stream = certificate.connect(&server).await.unwrap();
    stream.write_all(b"nonsense\r\n\r\n").await.unwrap();
    let refusal = answer(&mut stream).await.unwrap();
    assert_eq!((refusal.status, &refusal.body["error"]), (400, &json!("bad_request")));
    assert!(ends(&mut stream).await);
}

/// Starts a server that must not start.
fn refused(folder: &TempDir, args: &[&str]) -> (Option<i32>, String) {
    let Output { status, stderr, .. } =
        command(&folder.path().join("tracehub.db")).args(args).output().expect("it runs");
    (status.code(), String::from_utf8(stderr).expect("text"))
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let folder = TempDir::new().unwrap();
    let (good, other) = (Certificate::new(&folder, "good"), Certificate::new(&folder, "other"));
    let [cert_flag, certificate, key_flag, key] = good.args();
    let notes = folder.path().join("notes");
    fs::write(&notes, "these are my notes").unwrap();
    let notes = notes.to_str().unwrap();
    for (args, part) in [
        (&[cert_flag, certificate][..], "--tls-key (TRACEHUB_TLS_KEY)"),
        (&[key_flag, key], "--tls-cert (TRACEHUB_TLS_CERT)"),
        (&[cert_flag, "/nowhere/a.pem", key_flag, key], "/nowhere/a.pem"),
        (&[cert_flag, certificate, key_flag, "/nowhere/a.key"], "/nowhere/a.key"),
        (&[cert_flag, notes, key_flag, key], "no `BEGIN CERTIFICATE`"),
        (&[cert_flag, certificate, key_flag, notes], "key: "),
        (&[cert_flag, certificate, key_flag, other.args()[3]], "certificate and key: "),
    ] {
        let (code, said) = refused(&folder, args);
        assert_eq!(code, Some(2), "{args:?}: {said}");
        assert!(said.contains(part) && said.contains("TRACEHUB_TLS_"), "{args:?}: {said}");
        assert!(!said.contains("PRIVATE KEY-----"), "{said}");
    }
}

#[test]
fn the_health_of_an_https_server_is_asked_for_by_its_own_program() {
    let (server, certificate) = guarded();
    let port = server.url.rsplit(':').next().expect("a port");
    let check = |args: &[&str]| {
        let mut command = command(std::path::Path::new("unused"));
        command.args(args).env("TRACEHUB_PORT", port).output().expect("it runs")
    };
    let said = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();
    let own = check(&[&certificate.args()[..], &["healthcheck"]].concat());
    assert!(own.status.success(), "{}", said(&own));
    let named = check(&["healthcheck", "--url", &format!("{}/healthz", server.url)]);
    assert!(named.status.success(), "{}", said(&named));
    // Plain HTTP is not answered on this port.
    let plain = check(&["healthcheck"]);
    assert_eq!(plain.status.code(), Some(1), "{}", said(&plain));
}

#[test]
fn the_sdk_sends_to_an_https_server_that_its_authorities_vouch_for_and_to_no_other() {
    const PATIENCE: Duration = Duration::from_secs(10);
    let (server, certificate) = guarded();
    // The certificate is for this name.
    let url = server.url.replace("127.0.0.1", "localhost");
    let entry = |chain: &str| TraceEntry::builder("MA", chain).operation("REST").build().unwrap();
    let builder = || TraceHubClient::builder(&url).secret(SECRET).retry_count(0);
    let client = builder().tls_ca(&certificate.chain).build().unwrap();
    client.send(entry("c")).unwrap();
    assert_eq!(client.flush(PATIENCE), FlushOutcome::Complete);
    let query = TraceHubQueryClient::new(&url).unwrap().with_secret(SECRET);
    let trusting = query.clone().with_tls_ca(&certificate.chain).unwrap().blocking().unwrap();
    assert_eq!(trusting.get_traces("c", None).unwrap().count, 1);

    let folder = TempDir::new().expect("a temporary folder");
    let stranger = Certificate::new(&folder, "stranger");
    let (said, complaints) = std::sync::mpsc::channel();
    let client =
        builder().tls_ca(&stranger.chain).on_error(move |err| drop(said.send(err.reason.clone()))).build().unwrap();
    client.send(entry("d")).unwrap();
    assert_eq!((client.flush(PATIENCE), client.stats().dropped.total()), (FlushOutcome::Complete, 1));
    let complaint = complaints.recv_timeout(PATIENCE).unwrap();
    assert!(complaint.contains("certificate"), "{complaint}");
    let distrusting = query.with_tls_ca(&stranger.chain).unwrap().blocking().unwrap();
    assert!(matches!(distrusting.health(), Err(QueryError::Unreachable { .. })));
    assert_eq!(trusting.get_traces("d", None).unwrap().count, 0);
}
