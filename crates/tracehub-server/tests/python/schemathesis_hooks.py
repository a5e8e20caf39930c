"""What schemathesis must know of this server beyond its description.

Three things: limits in bytes, which JSON Schema counts in characters; streams, which would go on for as long as they are
asked to; and guesses of the secret, which count for an address, so each connection comes from one of its own.
"""

import itertools
import re

import schemathesis
from urllib3.util import connection

# Characters may have four bytes. Longer texts of one-byte characters are what the limits allow.
LONGEST = {"direction": 16, "endpoint": 2048}
LONGEST_NAME = 256


def fits(name, value):
    return not isinstance(value, str) or len(value.encode("utf-8", "surrogatepass")) <= LONGEST.get(name, LONGEST_NAME)


def shortened(name, value):
    """The text as far as its bytes fit; anything else, and a text that is too long in characters too, as it is."""
    longest = LONGEST.get(name, LONGEST_NAME)
    if not isinstance(value, str) or len(value) > longest or fits(name, value) or name == "raw_line":
        return value
    return value.encode("utf-8", "surrogatepass")[:longest].decode("utf-8", "ignore")


def entry_of(value):
    return {name: shortened(name, inner) for name, inner in value.items()} if isinstance(value, dict) else value


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.path == "/ingest/single":
        case.body = entry_of(case.body)
    elif case.path == "/ingest" and isinstance(case.body, dict) and isinstance(case.body.get("traces"), list):
        case.body = {**case.body, "traces": [entry_of(entry) for entry in case.body["traces"]]}
    if "correlation_id" in (case.path_parameters or {}):
        case.path_parameters["correlation_id"] = shortened("correlation_id", case.path_parameters["correlation_id"])
    if case.path.endswith("/stream") and isinstance(case.query, dict):
        # Whatever would be refused stays; what would go on ends at once. The type stays too, which the checks look at.
        timeout = case.query.get("timeout", 0)
        seconds = re.fullmatch(r"(\d+)(\.0+)?", str(timeout))
        if seconds and int(seconds[1]) < 2**63:
            case.query["timeout"] = "0" if isinstance(timeout, str) else 0


def address(numbers=itertools.count(1)):
    number = next(numbers)
    return f"127.{1 + number // 62500 % 250}.{number // 250 % 250}.{1 + number % 250}"


plain = connection.create_connection


def from_an_address_of_its_own(target, *arguments, **named):
    return plain(target, *arguments, **{**named, "source_address": (address(), 0)})


connection.create_connection = from_an_address_of_its_own
