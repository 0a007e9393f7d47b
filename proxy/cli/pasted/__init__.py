"""People send what they have at hand: this reads it, and gives the requests that it shows.

    kinds       which kind of text it is, and which of its requests are meant
    request     a URL, headers and a body as one Captured
    curl        the command: curl_options has its options, posix and windows the words of its shell, files its @files
    powershell  Invoke-WebRequest, as browsers and Postman write it
    har, postman, message    an HTTP archive, Postman's console, raw HTTP and `curl -v`

Nothing is sent, and no file is read but those that the command itself names.  Like verification/, this shares no code
with the signer.
"""

from proxy.cli.pasted.kinds import FORMATS, read
from proxy.cli.pasted.request import Pasted

__all__ = ["FORMATS", "Pasted", "read"]
