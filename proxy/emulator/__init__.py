"""A strict stand-in for Nordea's PSD2 API, which judges the proxy by the bytes it sends.

    server        Emulator: start, stop, register, until         command    `signing-proxy emulator`
    connection    one socket: request, verdict, act, answer      material   files that proxy and bank share
    wire          strict HTTP/1.1 reader that keeps the bytes    options    all there is to choose
    verify        raw bytes -> Verdict                           control    the port that tells what a bank would not
    explain       which known mistake makes a seal fit           authority  throw-away CA, server leaf, QSealC
    content       digests, and the rule for forms                der        QCStatements by hand
    registration  what the portal knows of an application        records    what was received and executed
    bank          the API; access, payments, probes, answers     faults     orders to misbehave; mangle: spoilt bytes

It imports nothing of `proxy` but itself: a verifier that shares code with the signer proves nothing.
"""

from proxy.emulator.authority import Authority, Pair, Seal, Validity
from proxy.emulator.faults import Fault
from proxy.emulator.material import Material, make_material
from proxy.emulator.options import Options
from proxy.emulator.records import Execution, Received
from proxy.emulator.server import Emulator
from proxy.emulator.verify import Policy, Verdict

__all__ = [
    "Authority", "Emulator", "Execution", "Fault", "Material", "Options", "Pair", "Policy", "Received", "Seal",
    "Validity", "Verdict", "make_material",
]
