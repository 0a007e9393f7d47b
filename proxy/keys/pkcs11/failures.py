"""What a PKCS#11 module answers, in words of proxy/errors.

Return values are those of PKCS#11 section 5.1; python-pkcs11 has a class for each.  Only classes are looked at: the
text of a foreign exception may hold anything.
"""

from __future__ import annotations

from typing import Final

from proxy.errors import KeyUnusable

LOST: Final = frozenset((
    "SessionHandleInvalid", "SessionClosed", "TokenNotPresent", "TokenNotRecognised", "DeviceRemoved", "DeviceError",
    "UserNotLoggedIn", "SlotIDInvalid", "ObjectHandleInvalid", "KeyHandleInvalid", "OperationActive",
    "OperationNotInitialized", "FunctionFailed", "GeneralError",
    # Return values without a class of their own, such as CKR_CRYPTOKI_NOT_INITIALIZED.
    "PKCS11Error"))
"""A new session, a new login and new handles may help.  The last ones say nothing, and network HSMs answer with them
when their connection has gone."""

LOGGED_IN: Final = "UserAlreadyLoggedIn"
WRONG_PIN: Final = {"PinIncorrect": "is wrong", "PinInvalid": "holds characters that the token does not take",
                    "PinLenRange": "is too short or too long"}
_PIN: Final = {"PinLocked": "is locked after too many wrong ones", "PinExpired": "has expired",
               "UserPinNotInitialized": "has never been set"}
_KEY: Final = frozenset(("MechanismInvalid", "KeyTypeInconsistent", "KeySizeRange", "FunctionRejected",
                         "FunctionNotSupported", "MechanismParamInvalid"))


def name_of(error: Exception) -> str:
    return type(error).__name__


def is_lost(error: Exception) -> bool:
    return name_of(error) in LOST


def told(error: Exception, where: str) -> KeyUnusable:
    """The row for a module's error.  where: the token, for sentences."""
    name = name_of(error)
    if name in WRONG_PIN or name in _PIN:
        return KeyUnusable("pkcs11_pin", f"the PIN of {where} {(WRONG_PIN | _PIN)[name]}")
    if name in _KEY:
        return KeyUnusable("pkcs11_key", f"{where} refuses the operation with the key ({name})")
    return KeyUnusable("pkcs11_token", f"{where} answers {name}")
