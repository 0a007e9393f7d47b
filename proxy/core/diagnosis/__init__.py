"""Why did the bank say no?  One Case of facts in, one Diagnosis out; nothing here asks a clock, a key or a socket.

    case        what is known: the answer, the message that was sent, key, credentials, history
    kinds       which question an answer's code raises
    causes      every cause there is: the one table behind text, metric label and docs/troubleshooting.md
    evidence    sentences about what was seen, and how much they prove
    sealing     causes of a refused signature, certificate, digest or date
    access      causes of refused credentials, subscriptions and tokens, of limits and of failures at the bank
    verdict     a Case -> its causes, the likeliest first
"""

from proxy.core.diagnosis.case import (
    Answer,
    Application,
    Case,
    History,
    Key,
    Message,
    Moment,
)
from proxy.core.diagnosis.causes import CAUSES, Cause
from proxy.core.diagnosis.evidence import Candidate
from proxy.core.diagnosis.verdict import Diagnosis, diagnose

__all__ = ["CAUSES", "Answer", "Application", "Candidate", "Case", "Cause", "Diagnosis", "History", "Key", "Message",
           "Moment", "diagnose"]
