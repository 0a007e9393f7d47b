"""urllib: GET, then POST.  Arguments: URL of the GET, URL of the POST, its JSON."""

import sys
from urllib.request import Request, urlopen

get, post, body = sys.argv[1:]
for request in (Request(get), Request(post, body.encode(), {"Content-Type": "application/json"})):
    request.add_header("Authorization", "Bearer token")
    with urlopen(request) as answer:
        print(answer.status)
