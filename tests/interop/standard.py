"""Verifies what the standard subscriber received with PyPI's standardwebhooks.

usage: standard.py RECEIVED_NDJSON SECRET_FILE
"""

import base64
import json
import sys

from standardwebhooks.webhooks import Webhook, WebhookVerificationError


def main(received: str, secret_file: str) -> int:
    with open(secret_file, encoding="utf-8") as file:
        webhook = Webhook(file.read().strip())
    verified = wrong = 0
    with open(received, encoding="utf-8") as file:
        for line in file:
            delivery = json.loads(line)
            body = base64.b64decode(delivery["body"])
            try:
                webhook.verify(body, delivery["headers"])
                verified += 1
            except WebhookVerificationError as error:
                wrong += 1
                print(f"{delivery['headers'].get('webhook-id')}: {error}", file=sys.stderr)
    print(f"{verified} verified, {wrong} wrong")
    return 0 if verified > 0 and wrong == 0 else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
