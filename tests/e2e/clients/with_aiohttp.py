"""aiohttp: GET, then POST.  Arguments: URL of the GET, URL of the POST, its JSON."""

import asyncio
import sys

import aiohttp
from yarl import URL


async def main(get: str, post: str, body: str) -> None:
    headers = {"Authorization": "Bearer token"}
    async with aiohttp.ClientSession(trust_env=True, headers=headers) as session:
        async with session.get(URL(get, encoded=True)) as answer:
            print(answer.status)
        async with session.post(post, data=body, headers={"Content-Type": "application/json"}) as answer:
            print(answer.status)


asyncio.run(main(*sys.argv[1:]))
