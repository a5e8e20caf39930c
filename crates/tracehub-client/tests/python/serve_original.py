"""Serves the Python original 0.1.0, so that a test can send to it.

Usage: target/python/bin/python serve_original.py PORT DATABASE

Port 0 takes a free one. Prints `listening on http://127.0.0.1:PORT` once connections are accepted; SIGTERM ends it.
"""

import os
import socket
import sys


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    port, database = int(sys.argv[1]), sys.argv[2]
    # The original reads it when it is imported.
    os.environ["TRACEHUB_DB"] = database

    import uvicorn
    from tracehub.server import app

    listener = socket.create_server(("127.0.0.1", port), backlog=1024)
    # Connections made before the application is up wait in the backlog, so the address can be told already.
    print(f"listening on http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    # One second for open streams at the end: the original has no limit of its own.
    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
