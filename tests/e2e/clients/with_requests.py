"""requests: GET, then POST.  Arguments: URL of the GET, URL of the POST, its JSON."""

import sys

import requests

get, post, body = sys.argv[1:]
with requests.Session() as session:
    session.headers["Authorization"] = "Bearer token"
    print(session.get(get).status_code)
    print(session.post(post, body, headers={"Content-Type": "application/json"}).status_code)
