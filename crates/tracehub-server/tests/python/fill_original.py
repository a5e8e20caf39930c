"""A database as the original's server 0.1.0 leaves it, for the tests of its migration.

Usage: target/python/bin/python fill_original.py tracehub.db 1000

Writes the database with the original's own functions: a few rows of every kind it accepts, then as many dull ones as
asked for. Prints one JSON line: the answer of the original to GET /traces/{id} for the chains it can answer.
"""

import asyncio
import json
import os
import sqlite3
import sys

DATABASE = sys.argv[1] if len(sys.argv) == 3 else sys.exit(__doc__)
os.environ["TRACEHUB_DB"] = DATABASE

from tracehub import server

PLAIN = [
    {"correlation_id": "plain", "timestamp": 1.7e12, "suffix": "a", "direction": "->", "data": {"z": 1, "a": [1.5, None]}},
    {"correlation_id": "plain", "timestamp": 1.7e12 + 0.25, "suffix": "b", "direction": "<-", "data": {}},
    {"correlation_id": "plain", "timestamp": 1.7e12 + 0.5, "suffix": "b", "direction": "!", "raw_line": "→ line\n"},
    {"correlation_id": "text 東京", "timestamp": -5, "suffix": "", "direction": "->", "data": {"🚀": "ü\u0000\\\""}},
    {"correlation_id": "long", "timestamp": 0, "suffix": "x" * 1000, "direction": "d" * 99, "endpoint": "e" * 9000},
    {"correlation_id": "big", "timestamp": 1e300, "suffix": "a", "direction": "", "data": {"n": 12345678901234567890}},
]
# The original stores these and can then neither list nor give their chains.
ODD = """[
    {"correlation_id": "odd", "timestamp": 1, "suffix": "nan", "direction": "->", "data": {"n": [NaN, -Infinity]}},
    {"correlation_id": "odd", "timestamp": 2, "suffix": "half", "direction": "->", "data": {"n": "\\ud800"}},
    {"correlation_id": "odd", "timestamp": 3, "suffix": "beyond", "direction": "->", "data": {"n": 1e400}},
    {"correlation_id": "odd", "timestamp": Infinity, "suffix": "never", "direction": "->", "data": null}
]"""


def entry(fields):
    return server.TraceEntry(**{"source_id": "MA", "operation": "REST", "endpoint": "/x", **fields})


async def main(count):
    await server.init_db()
    for fields in PLAIN + json.loads(ODD):
        if not await server.insert_trace(entry(fields)):
            sys.exit(f"the original refuses {fields}")
    # As insert_trace does it, but in one transaction: its own takes a sync for each row.
    with sqlite3.connect(DATABASE) as connection:
        connection.executemany(
            """INSERT OR IGNORE INTO traces (source_id, correlation_id, timestamp, suffix, direction, operation, endpoint,
            data, hostname, raw_line) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
            (
                ("WK", f"dull-{n // 20}", 1.7e12 + n, f"s{n}", "<-" if n % 2 else "->", "RPC", f"/{n % 9}",
                 json.dumps({"n": n}), "web-1", None)
                for n in range(count)
            ),
        )
    answers = {}
    for chain in [fields["correlation_id"] for fields in PLAIN] + ["dull-0", "dull-1"]:
        answers[chain] = json.loads((await server.get_traces(chain, source=None)).model_dump_json())
    print(json.dumps(answers))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[2])))
