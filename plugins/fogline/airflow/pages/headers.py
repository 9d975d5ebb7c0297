"""What every page tells the browser: nothing on it may run or load but what is named here."""

import base64
import hashlib

_RULES = {
    "default-src": "'none'",
    "style-src": "'unsafe-inline'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'self'",
}
_OTHERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def page_headers(script: str | None = None) -> dict[str, str]:
    """Return the headers of a page.

    The pages hold what fogs sent: nothing of it may run or load, whatever a fog calls itself. A page of ours with a
    script names that one by its digest; it may ask Airflow's API, and show a picture of the same server.
    """
    rules = dict(_RULES)
    if script is not None:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        rules |= {"script-src": f"'sha256-{digest}'", "connect-src": "'self'", "img-src": "'self'"}
    return {"Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in rules.items()), **_OTHERS}
