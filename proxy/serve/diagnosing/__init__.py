"""The facts of a refusal, gathered where they are known, and the diagnosis shown where somebody looks.

    history     what came before, per route: a few numbers for each
    facts       a Recording and the application's keys -> core.diagnosis.Case
    message     what the message that was sent says about itself
    observer    told of every call: counts, log lines, /status, the answer's hint
"""

from proxy.serve.diagnosing.observer import Diagnoses

__all__ = ["Diagnoses"]
