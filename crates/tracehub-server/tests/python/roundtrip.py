"""The unchanged Python client 0.1.0 against a server: what it sends must come back, listed, whole and live.

Usage: target/python/bin/python roundtrip.py http://127.0.0.1:8099

Prints one JSON line and exits with 0, or says what differs and exits with 1. It holds for our server and for the
original, so that it cannot ask more of ours than the client was promised. Where the original is weaker, a comment
says what the script does about it.
"""

import contextlib
import io
import json
import os
import sys
import threading
import time
import uuid

# The server under test is on this machine; a proxy configured for the outside must not come between.
os.environ["NO_PROXY"] = "*"

from tracehub import TraceEntry, TraceHubClient, TraceHubQueryClient, create_trace_entry

CHAINS = 5
PAIRS = 25
STREAM_SECONDS = 3
ENTRY_KEYS = [
    "source_id",
    "correlation_id",
    "timestamp",
    "suffix",
    "direction",
    "operation",
    "endpoint",
    "data",
    "hostname",
    "raw_line",
]
DATA = [
    None,
    {"status": 200},
    {"customer": "Zoë", "city": "東京", "mood": "🚀", "quote": 'say "hi"\n\t\\'},
    {"nested": {"list": [1, 2.5, None, True, {"deep": []}]}, "z": 1, "a": 2},
    {"big": 12345678901234567890, "negative": -0.001},
]


class Mismatch(Exception):
    """The server answered something else than it must."""


def expect(actual, expected, what):
    """Raises a Mismatch that shows both values."""
    if actual != expected:
        raise Mismatch(f"{what}: expected {shorten(expected)}, got {shorten(actual)}")


def shorten(value):
    text = json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value
    return text if len(text) <= 600 else text[:600] + "…"


def pair(chain, number, timestamp):
    """An enter and its leave, a quarter of a millisecond apart. Both share a suffix, as the original's logger does."""
    common = {
        "source_id": "WK" if number % 3 == 0 else "MA",
        "correlation_id": chain,
        "suffix": f"s{number:02}",
        "operation": "REST" if number % 2 == 0 else "RPC",
        "endpoint": f"/straße/{number}?q=å&r=%20",
    }
    enter = create_trace_entry(
        timestamp_ms=timestamp,
        direction="->",
        data=DATA[number % len(DATA)],
        raw_line=f"[{common['source_id']}] → line {number}" if number % 4 == 0 else None,
        **common,
    )
    leave = TraceEntry(timestamp=timestamp + 0.25, direction="<-", hostname="höst-2", **common)
    return [enter, leave]


def send(url, entries, **options):
    """Sends the entries with a client of their own and returns once it has delivered them."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        client = TraceHubClient(url, **options)
        for entry in entries:
            client.send(entry)
        client.flush()
        client.close()
        # close() waits two seconds at most and then lets go of its thread. A busy machine may need longer.
        client._thread.join(timeout=60)
    expect(client._thread.is_alive(), False, "the client's thread still sends after a minute")
    # The client loses entries without an error; what it prints is all that tells.
    expect(printed.getvalue(), "", "the client complained")


def check_chain(query, chain, entries, complete):
    answer = query.get_traces(chain)
    expect(list(answer), ["correlation_id", "traces", "count", "complete"], "keys of /traces")
    expect(answer["correlation_id"], chain, "correlation_id of /traces")
    expect(answer["count"], len(entries), f"count of {chain}")
    expect(answer["complete"], complete, f"complete of {chain}")
    expect(list(answer["traces"][0]), ENTRY_KEYS, "keys of an entry")
    for trace, entry in zip(answer["traces"], entries):
        expect(trace, entry.to_dict(), f"an entry of {chain}")
        expect(type(trace["timestamp"]), float, f"type of the timestamp {trace['timestamp']!r}")


def check_source(query, chain, entries, source):
    answer = query.get_traces(chain, source_id=source)
    wanted = [entry.to_dict() for entry in entries if entry.source_id == source]
    expect(answer["traces"], wanted, f"entries of {chain} from {source}")
    expect(answer["count"], len(wanted), f"count of {chain} from {source}")


def check_list(query, chains):
    answer = query.list_correlations(limit=1000)
    expect(list(answer), ["correlations", "count"], "keys of /correlations")
    expect(answer["count"], len(answer["correlations"]), "count of /correlations")
    listed = {summary["correlation_id"]: summary for summary in answer["correlations"]}
    for chain, entries in chains.items():
        summary = listed.get(chain)
        if summary is None:
            raise Mismatch(f"/correlations does not list {chain}")
        first, last = entries[0].timestamp, entries[-1].timestamp
        # The original gives the sources in no fixed order.
        summary["sources"] = sorted(summary["sources"])
        wanted = {
            "correlation_id": chain,
            "trace_count": len(entries),
            "first_ts": first,
            "last_ts": last,
            "duration_ms": int(last - first),
            "sources": ["MA", "WK"],
        }
        # Our server adds keys after the original's.
        expect(list(summary)[: len(wanted)], list(wanted), "keys of a summary")
        expect({key: summary[key] for key in wanted}, wanted, f"summary of {chain}")
        expect(type(summary["duration_ms"]), int, "type of duration_ms")
    expect(query.list_correlations(limit=2)["count"], 2, "count of /correlations?limit=2")


def check_stream(url, query, chain, entries):
    """Streams a chain while two more entries of it are sent. They must arrive before the stream ends."""
    live = pair(chain, PAIRS, entries[-1].timestamp + 1)
    received = []
    history_is_here = threading.Event()
    failures = []

    def collect(trace):
        received.append(trace)
        if len(received) == len(entries):
            history_is_here.set()

    def send_live():
        try:
            if not history_is_here.wait(timeout=STREAM_SECONDS + 10):
                raise Mismatch("the stream's history did not arrive")
            # The original subscribes after it has sent the history and loses what comes in between.
            time.sleep(0.3)
            send(url, live, batch_size=2)
        except Exception as err:
            failures.append(err)

    sender = threading.Thread(target=send_live)
    sender.start()
    start = time.monotonic()
    query.stream_traces(chain, collect, timeout=STREAM_SECONDS)
    seconds = time.monotonic() - start
    sender.join()
    for failure in failures:
        raise failure
    # The client stops at the server's last event; a stream that breaks off earlier would end it as well.
    if not STREAM_SECONDS - 0.5 <= seconds <= STREAM_SECONDS + 10:
        raise Mismatch(f"the stream of {STREAM_SECONDS} s ended after {seconds:.1f} s")
    wanted = [entry.to_dict() for entry in entries + live]
    expect(len(received), len(wanted), "number of streamed entries")
    for trace, entry in zip(received, wanted):
        expect(trace, entry, "a streamed entry")
        expect(list(trace), ENTRY_KEYS, "keys of a streamed entry")
    return live


def run(url):
    start = time.monotonic()
    now = float(int(time.time() * 1000))
    run_id = uuid.uuid4().hex[:12]
    names = [f"round-{run_id}-{number}" for number in range(CHAINS - 1)] + [f"ründe-世界-🚀-{run_id}"]
    chains = {name: [] for name in names}
    for number in range(PAIRS):
        for name in names:
            chains[name] += pair(name, number, now + number * 10)
    # One call without its leave: the last chain is not complete.
    unfinished = names[-1]
    chains[unfinished].append(pair(unfinished, 99, now + 5000)[0])

    # As services send: the chains interleaved.
    entries = [entry for name in names for entry in chains[name]]
    entries.sort(key=lambda entry: entry.timestamp)
    query = TraceHubQueryClient(url)
    send(url, entries)
    send(url, entries[:50])  # Again, as a retry would: nothing may be counted twice.

    for name in names:
        check_chain(query, name, chains[name], complete=name != unfinished)
        for source in ["MA", "WK", "none"]:
            check_source(query, name, chains[name], source)
    check_list(query, chains)
    never = query.get_traces(f"never-{run_id}")
    expect((never["count"], never["complete"], never["traces"]), (0, False, []), "a chain that does not exist")
    live = check_stream(url, query, names[0], chains[names[0]])
    check_chain(query, names[0], chains[names[0]] + live, complete=True)
    return {
        "url": url,
        "sent": len(entries) + len(live),
        "chains": len(chains),
        "streamed": len(chains[names[0]]) + len(live),
        "live": len(live),
        "seconds": round(time.monotonic() - start, 2),
    }


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        print(json.dumps(run(sys.argv[1])))
    except Mismatch as err:
        sys.exit(f"mismatch: {err}")


if __name__ == "__main__":
    main()
