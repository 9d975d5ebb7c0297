"""Write .env.example with a fresh secret for each empty setting: ``python3 deploy/new_env.py > .env``."""

import base64
import re
import secrets
from pathlib import Path

EXAMPLE = Path(__file__).parents[1] / ".env.example"


def filled(text: str) -> str:
    """Give each empty setting a secret; 32 bytes in base64 are also a Fernet key."""
    return re.sub(r"^(\w+=)$", lambda empty: empty[1] + _secret(), text, flags=re.MULTILINE)


def _secret() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


if __name__ == "__main__":
    print(filled(EXAMPLE.read_text()), end="")
