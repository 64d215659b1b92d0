"""Checks that every webhook that was sent stands in the log, byte for byte.

usage: stored.py SENT_NDJSON LOG_DUMP
"""

import base64
import collections
import hashlib
import json
import sys


def metadata(record: dict) -> dict:
    headers = {header["name"]: header.get("value") for header in record["headers"]}
    return json.loads(headers["hooklog_received"])


def main(sent: str, dump: str) -> int:
    stored = collections.Counter()
    with open(dump, encoding="utf-8") as file:
        for line in file:
            record = json.loads(line)
            if record["type"] != "webhook.received" or record.get("tombstone"):
                continue
            body = base64.b64decode(record["body_base64"])
            guid = metadata(record)["facts"]["guid"]
            stored[guid, hashlib.sha256(body).hexdigest()] += 1
    with open(sent, encoding="utf-8") as file:
        expected = collections.Counter(
            (webhook["guid"], webhook["sha256"]) for webhook in map(json.loads, file)
        )
    for guid, sha256 in expected - stored:
        print(f"{guid} with {sha256} is not stored", file=sys.stderr)
    for guid, sha256 in stored - expected:
        print(f"{guid} with {sha256} is stored, but was not sent", file=sys.stderr)
    print(f"{stored.total()} stored, {expected.total()} sent")
    return 0 if expected and stored == expected else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
