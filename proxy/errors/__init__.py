"""Every failure the proxy can name, in one table: stable code, HTTP status, hint.

The tree:

    ProxyError                 anything the proxy itself has to say; carries one `Problem`
    ├── Refused                the caller's request is not acceptable; nothing was signed or sent
    ├── UpstreamFailed         the bank could not be asked, or did not answer properly; `sent` tells which
    ├── KeyUnusable            a key, certificate or credential cannot be used
    └── ConfigInvalid          the configuration has problems; `problems` lists all of them

Codes are an interface: docs/errors.md lists them, a test compares, CHANGELOG tells of every change.
"""

from __future__ import annotations

from typing import Literal

from proxy.errors.local import LOCAL
from proxy.errors.problem import Problem

__all__ = ["PROBLEMS", "ConfigInvalid", "KeyUnusable", "Problem", "ProxyError", "Refused", "Sent", "UpstreamFailed"]

Sent = Literal["no", "maybe"]


def _table(*rows: Problem) -> dict[str, Problem]:
    table = {row.code: row for row in rows}
    assert len(table) == len(rows), "two problems share a code"
    return table


_REQUEST = "http_request_error"
_DENIED = "http_request_denied"

PROBLEMS: dict[str, Problem] = _table(
    # --- the caller's request
    Problem("malformed_request", 400, "The bytes received are not one well-formed HTTP/1.1 request.",
            "Send a request that follows RFC 9112 to the letter; the detail names the part.", _REQUEST),
    Problem("bad_target", 400, "The request target cannot be signed as it was sent.",
            "Percent-encode the path and query in the application; the detail names the offending part.", _REQUEST),
    Problem("body_not_allowed", 400, "A GET or HEAD request carries a body, which the bank's signature cannot cover.",
            "Send the request without a body, or with POST.", _REQUEST),
    Problem("protected_header_in_connection", 400, "The Connection header names a header that must reach the bank.",
            "Remove that name from the Connection header.", _REQUEST),
    Problem("override_not_allowed", 400, "A header asks the bank to act on another method or path than the signed one.",
            "Send the method and path themselves, without X-HTTP-Method-Override or X-Original-URL.", _REQUEST),
    Problem("caller_closed", 400, "The caller closed its side of the connection before anything was sent.",
            "Keep the connection open until the answer is here; the request may be sent again.", _REQUEST),
    Problem("not_replayable", 409, "This exchange cannot be sent again as it was.",
            "Send it from where it came; the detail says what is missing here.", _REQUEST),
    Problem("replay_unconfirmed", 428, "The bank may act a second time on this request.",
            "Look at what the first one did, then confirm with its method as 'again'.", _REQUEST),
    Problem("exchange_unknown", 404, "The inspector has no exchange with this number any more.",
            "Fetch the list again; inspect_exchanges and inspect_memory say how many are kept.", _REQUEST),
    Problem("inspector_unauthenticated", 401, "The inspector shows itself only to those who have its token.",
            "Open the address that the proxy printed at its start, or paste the admin token into the page.", _DENIED),
    Problem("content_type_invalid", 400, "The Content-Type header appears more than once or is empty.",
            "Send exactly one Content-Type header.", _REQUEST),
    Problem("client_unauthenticated", 401, "This listener signs only for callers that present its token.",
            "Send 'Proxy-Authorization: Bearer <token>' with the token from client_token_file.", _DENIED),
    Problem("browser_origin", 403, "The request comes from a web page, and web pages may not have requests signed.",
            "Call the proxy from a server or a command line, without Origin or Sec-Fetch headers.", _DENIED),
    Problem("route_denied", 403, "The route does not allow this method and path.",
            "Add it to the route's allow list, or call a path that is allowed.", _DENIED),
    Problem("self_connect", 403, "The destination is this proxy itself.",
            "Point the route's upstream at the bank; an application that uses this proxy by HTTP_PROXY lists its "
            "address in NO_PROXY.", _DENIED),
    Problem("role_missing", 403, "The certificate has not the PSD2 role that this call needs.",
            "Use a certificate with that role, or call only what its roles allow.", _DENIED),
    Problem("client_not_allowed", 403, "The client certificate is valid, but its name is not one of those that may "
            "call.", "Add the name to client_names of the listener, or use another certificate.", _DENIED),
    Problem("bad_authority", 400, "The destination is not a host and port that can be read in one way only.",
            "Write name:port, address:port or [IPv6 address]:port; the detail names the fault.", _REQUEST),
    Problem("destination_denied", 403, "The destination is neither a bank of this proxy nor listed for tunnels.",
            "Add the host and port to destinations, or call it without this proxy (NO_PROXY).", _DENIED),
    Problem("address_denied", 403, "The destination's addresses are none that a tunnel may reach.",
            "If it is meant, list its network under allow_addresses of its destinations entry.",
            "destination_ip_prohibited"),
    Problem("interception_off", 403, "A tunnel to a bank host could not be signed: there is no certificate authority "
            "for it.", "Set ca_directory and let the client trust the CA in it, or call the bank by http://.", _DENIED),
    Problem("route_ambiguous", 403, "Several routes of this listener lead to this host and path.",
            "Give each application a listener of its own, or call the proxy by the route's prefix.", _DENIED),
    Problem("route_unknown", 404, "No route matches this path on this listener.",
            "Check the path, or add a route whose prefix matches it.", "destination_not_found"),
    Problem("method_not_supported", 405, "This method is never signed.",
            "Use GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS.", _DENIED),
    Problem("proxy_authentication_required", 407, "This proxy serves only clients that present its token.",
            "Use http://any:<token>@host:port as the proxy's URL, or send 'Proxy-Authorization: Bearer <token>'.",
            _DENIED),
    Problem("request_timeout", 408, "The request did not arrive completely in time.",
            "Send the whole request at once, or raise timeouts.read.", "http_request_error"),
    Problem("body_too_large", 413, "The request body is larger than this proxy buffers.",
            "Send less, or raise limits.body.", _REQUEST),
    Problem("admin_token_unset", 403, "This needs an admin token, and none is configured.",
            "Name a file with tokens in admin_token_file, and start the proxy anew.", _DENIED),
    Problem("admin_unauthenticated", 401, "This needs a token of the admin port.",
            "Send 'Authorization: Bearer <token>' with a token from admin_token_file.", _DENIED),
    Problem("admin_method", 405, "The admin port's path does not take this method.",
            "Read pages with GET, and ask for actions with POST; the detail names what the path takes.", _DENIED),
    Problem("admin_request_invalid", 400, "The admin port does not understand what this action is to do.",
            "Give what the detail names, in the query or as a JSON object.", _REQUEST),
    Problem("application_unknown", 404, "No application has this name.",
            "Use a name under applications of the configuration; /status lists them.", _REQUEST),
    Problem("rotation_no_next", 409, "The application has no other key.",
            "Configure next, and start the proxy anew.", _DENIED),
    Problem("rotation_unusable", 409, "The other key cannot sign now.",
            "Mend what the detail names, reload, and look at 'other' in /status.", _DENIED),
    Problem("reload_failed", 409, "Something could not be read again, and what was there stays.",
            "Mend what 'failed' names, and reload again.", _DENIED),
    Problem("quit_off", 403, "/quitquitquit is switched off.",
            "Set quitquitquit, or stop the proxy with SIGTERM.", _DENIED),
    Problem("proxy_starting", 503, "The proxy has not started yet.",
            "Wait until /startup answers 200; /readyz and the log say what it waits for.", "proxy_internal_response"),
    Problem("proxy_ending", 503, "The proxy is ending, and what was asked for is not done.",
            "Ask again once it has started anew; what is in service stays until its end.", "proxy_internal_response"),
    Problem("expectation_failed", 417, "The Expect header asks for something other than 100-continue.",
            "Remove the Expect header.", _REQUEST),
    Problem("host_not_allowed", 421, "The Host header is not one of this proxy's own names.",
            "Call the proxy by its address, or add the name to allowed_hosts.", _DENIED),
    Problem("authority_mismatch", 421, "CONNECT, the TLS server name and Host do not name the same host.",
            "Send requests for one host only through the tunnel that was opened for it.", _DENIED),
    Problem("tls_expected", 400, "The tunnel to a TLS port carries something that is not TLS.",
            "Speak TLS inside the tunnel, or call the bank by http:// for the proxy to upgrade it.", _REQUEST),
    Problem("listener_speaks_tls", 400, "This listener speaks TLS, and the client does not.",
            "Write https:// in the client's URL of the proxy.", _REQUEST),
    Problem("headers_too_large", 431, "The request head is larger than this proxy accepts.",
            "Send fewer or shorter headers, or raise limits.head.", _REQUEST),
    Problem("overloaded", 503, "The proxy has as many requests or connections in hand as it may.",
            "Try again after the Retry-After seconds, or raise limits.", "proxy_internal_response"),
    # --- the signature
    Problem("key_unavailable", 503, "There is no usable signing key for this route.",
            "Look at /status and the log for the reason, mend the key, and reload.", "proxy_configuration_error"),
    Problem("ca_unusable", 503, "The certificate authority cannot be used.",
            "Give another one, or make a new one with 'signing-proxy ca init --force' and hand it to the clients.",
            "proxy_configuration_error"),
    Problem("signing_failed", 503, "The key source could not make the signature.",
            "Look at the log for the reason; the request may be sent again.", "proxy_internal_error"),
    Problem("signing_busy", 503, "The key source has as many signatures in hand and waiting as it may.",
            "Try again after the Retry-After seconds; where Transit signs, vault.transit_lanes may be raised.",
            "proxy_internal_response"),
    Problem("self_verify_failed", 500, "The finished request does not pass this proxy's own verification.",
            "Report it with the request id and the check that the log names; nothing was sent.",
            "proxy_internal_error"),
    Problem("audit_unavailable", 503, "The audit trail cannot be written, and nothing is signed without a record.",
            "Mend what the log names, or set audit.on_failure to continue; the request may be sent again.",
            "proxy_internal_error"),
    # --- Vault: by HTTP only where Transit signs
    Problem("vault_unavailable", 503, "Vault did not answer, or keeps failing.",
            "Check the vault section's address, the network and Vault itself; the request may be sent again.",
            "proxy_internal_error"),
    Problem("vault_sealed", 503, "Vault is sealed.", "Unseal it.", "proxy_internal_error"),
    Problem("vault_standby", 503, "This node of Vault does not serve requests.",
            "Give the address of the cluster's active node or of its load balancer.", "proxy_configuration_error"),
    Problem("vault_denied", 503, "Vault does not allow this.",
            "Let the token's policy allow the path, or give a token that has not expired.",
            "proxy_configuration_error"),
    Problem("vault_missing", 503, "What is wanted from Vault is not there.",
            "Check mount, path, field, version and namespace.", "proxy_configuration_error"),
    Problem("vault_refused", 503, "Vault refused the request, or answered in a way that is not understood.",
            "Check that mount and path name the right kind of engine, and look at Vault's own log.",
            "proxy_configuration_error"),
    Problem("vault_login_failed", 503, "Vault refused the login.",
            "Check the auth method's mount, the role and its secret; a secret id may have expired or been used up.",
            "proxy_configuration_error"),
    Problem("internal_error", 500, "The proxy failed in a way its authors did not foresee.",
            "Report it with the request id; the log has the details.", "proxy_internal_error"),
    Problem("rate_limited_here", 429, "This call would exceed the bank's burst limit, so the proxy has not sent it.",
            "Call less often, or try again after the Retry-After seconds; shaping says what the proxy keeps to.",
            "http_request_denied"),
    # --- the bank
    Problem("breaker_open", 503, "The bank has not answered the last calls, so this one was not tried.",
            "Nothing was sent; try again after the Retry-After seconds. The log and /status say what failed before.",
            "destination_unavailable"),
    Problem("upstream_dns", 502, "The bank's host name does not resolve.",
            "Check the route's upstream, and DNS on this machine.", "dns_error"),
    Problem("upstream_connect", 502, "The bank refused the connection or could not be reached.",
            "Check the network, the firewall and egress_proxy.", "connection_refused"),
    Problem("upstream_connect_timeout", 504, "No connection to the bank could be made in time.",
            "Check the network and the firewall, or raise timeouts.connect.", "connection_timeout"),
    Problem("upstream_tls", 502, "The bank's TLS certificate or protocol is not acceptable.",
            "Check the route's host; if the bank has its own root, add it with upstream_ca_file.",
            "tls_certificate_error"),
    Problem("egress_proxy_failed", 502, "The egress proxy refused to open a tunnel to the bank.",
            "Check egress_proxy and its credentials.", "proxy_configuration_error"),
    Problem("upstream_closed", 502, "The bank closed the connection before it answered.",
            "The bank may have acted: query the status, do not resend.", "connection_terminated"),
    Problem("upstream_malformed", 502, "The bank's answer is not well-formed HTTP/1.1.",
            "The bank may have acted: query the status, do not resend.", "http_protocol_error"),
    Problem("upstream_timeout", 504, "The bank did not answer in time.",
            "The bank may have acted: query the status, do not resend.", "http_response_timeout"),
    Problem("upstream_write_timeout", 504, "The bank did not take the request in time.",
            "The bank may have acted: query the status, do not resend.", "connection_write_timeout"),
    Problem("pool_timeout", 503, "No connection to the bank became free in time.",
            "Try again, or raise limits.upstream_connections.", "connection_limit_reached"),
    # --- other destinations, unsigned
    Problem("destination_dns", 502, "The destination's host name does not resolve.",
            "Check the name, and DNS on this machine.", "dns_error"),
    Problem("destination_unreachable", 502, "The destination refused the connection or could not be reached.",
            "Check the address, the network and the firewall.", "connection_refused"),
    Problem("destination_timeout", 504, "No connection to the destination could be made in time.",
            "Check the network and the firewall, or raise timeouts.connect.", "connection_timeout"),
    Problem("destination_closed", 502, "The destination closed the connection before it answered.",
            "The destination may have acted: find out before the request is sent again.", "connection_terminated"),
    Problem("destination_malformed", 502, "The destination's answer is not well-formed HTTP/1.1.",
            "The destination may have acted: find out before the request is sent again.", "http_protocol_error"),
    Problem("destination_no_answer", 504, "The destination did not take the request or answer it in time.",
            "The destination may have acted: find out before the request is sent again.", "http_response_timeout"),
    *LOCAL,
)


class ProxyError(Exception):
    """A failure with a row in PROBLEMS.

    detail: one clause for this occasion.  It is shown to callers and logged, so it never holds a value the caller or
    the bank sent, nor a secret.
    """

    def __init__(self, code: str, detail: str = "") -> None:
        self.problem = PROBLEMS[code]
        self.detail = detail
        self.retry_after = 0            # seconds; 0: nothing is known
        super().__init__(code, detail)

    @property
    def code(self) -> str:
        return self.problem.code

    def __str__(self) -> str:
        """One sentence what is wrong, one what to do."""
        title = self.problem.title
        what = f"{title[:-1]}: {self.detail}." if self.detail else title
        return f"{what} {self.problem.hint}"


class Refused(ProxyError):
    """The request is refused before anything was signed.  last: its connection ends with that."""

    last = False


class UpstreamFailed(ProxyError):
    """The bank was not asked (`sent` is "no") or may have been (`sent` is "maybe")."""

    def __init__(self, code: str, detail: str = "", *, sent: Sent) -> None:
        super().__init__(code, detail)
        self.sent: Sent = sent


class KeyUnusable(ProxyError):
    """A key, certificate or credential that must not or cannot be used."""


class ConfigInvalid(ProxyError):
    """All problems of a configuration at once: pairs of (YAML path, sentence)."""

    def __init__(self, problems: list[tuple[str, str]], source: str = "", code: str = "config_invalid") -> None:
        super().__init__(code, source)
        self.problems = problems
