"""``python -m fogline.stack.probe URL [PART]``: a container's health check, of the standard library alone to be quick.

It succeeds when the URL answers; with a part of Airflow (as triggerer), when Airflow's health there says it is healthy.
"""

import json
import sys
import urllib.request

TIMEOUT_S = 5


def main(url: str, part: str | None = None) -> str | None:
    """Return what is wrong, or None."""
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:
            body = answer.read()
    except OSError as error:
        return f"{url}: {error}"
    if part is None:
        return None
    status = (json.loads(body).get(part) or {}).get("status")
    return None if status == "healthy" else f"{url}: {part} is {status}"


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
