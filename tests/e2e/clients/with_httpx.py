"""httpx: GET, then POST.  Arguments: URL of the GET, URL of the POST, its JSON."""

import sys

import httpx

get, post, body = sys.argv[1:]
with httpx.Client(headers={"Authorization": "Bearer token"}) as client:
    print(client.get(get).status_code)
    print(client.post(post, content=body, headers={"Content-Type": "application/json"}).status_code)
