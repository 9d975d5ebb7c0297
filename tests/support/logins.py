"""Tokens of Airflow for its user and for users with other roles."""

import httpx
import jwt

from fogline.stack.airflow import USER
from fogline.stack.patience import CHANGES_NOTHING
from fogline.stack.stack import Stack


def token_of(stack: Stack, client: httpx.Client) -> str:
    """Log in as the stack's user."""
    login = {"username": USER, "password": stack.parts.airflow.password}
    answer = client.post("/auth/token", json=login, extensions=CHANGES_NOTHING)
    return str(answer.raise_for_status().json()["access_token"])


def token_with_role(stack: Stack, token: str, role: str | None) -> str:
    """Return Airflow's token of a user with another role; without one the simple auth manager lets them do nothing."""
    secret = stack.parts.airflow.environment()["AIRFLOW__API_AUTH__JWT_SECRET"]
    claims, header = jwt.decode(token, options={"verify_signature": False}), jwt.get_unverified_header(token)
    return jwt.encode({**claims, "sub": "somebody", "role": role}, secret, header["alg"], header)
