"""A verifier proves something only if it shares no code with the signer, so this one starts from the captured bytes.

    captured    the raw message -> method, target, fields, body
    header      the Signature header's value, and what is wrong with its form
    rules       what must hold apart from the seal: coverage, digest, host, date
    mistakes    signing strings that people build by accident
    seal        RSA: which string did this key sign?
    verdict     all of it together: valid, or the first difference

Nothing here imports proxy.core (a test holds it).
"""

from proxy.cli.verification.captured import Captured, Unreadable, assemble, parse
from proxy.cli.verification.findings import Finding
from proxy.cli.verification.verdict import Verdict, judge

__all__ = ["Captured", "Finding", "Unreadable", "Verdict", "assemble", "judge", "parse"]
