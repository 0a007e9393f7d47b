"""A verifier proves something only if it shares no code with the signer, so this one starts from the captured bytes.

    captured    the raw message -> method, target, fields, body
    header      the Signature header's value, and what is wrong with its form
    rules       what must hold apart from the seal: coverage, host, date
    digests     whether Digest is the body's; bodies has what people hash instead
    strings     the signing string in parts
    mistakes    wrong ones that people build by accident; contents and dates have those that depend on the message
    search      which of them, or which two together, were signed
    seal        RSA: what does a signature tell, and by whose key is it?  published has the sandbox's
    verdict     all of it together: valid, or the first difference
    causes      every name a difference can have, with what to do

Nothing here imports proxy.core (a test holds it).
"""

from proxy.cli.verification.captured import Captured, Unreadable, assemble, parse
from proxy.cli.verification.findings import Finding
from proxy.cli.verification.seal import KnownKey
from proxy.cli.verification.verdict import Verdict, explain, judge

__all__ = ["Captured", "Finding", "KnownKey", "Unreadable", "Verdict", "assemble", "explain", "judge", "parse"]
