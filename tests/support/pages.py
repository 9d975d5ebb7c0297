"""Ask an app for a page without a server."""

import asyncio

import httpx
from fastapi import FastAPI


def get(app: FastAPI, path: str) -> httpx.Response:
    """Return what an app answers."""

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://airflow") as client:
            return await client.get(path)

    return asyncio.run(ask())
