"""The command `signing-proxy`: everything a person does with the proxy from a shell.

    program        the group: its commands by name, loaded when they are called
    failures       one place where every failure becomes one line on standard error and an exit code
    output         colour on terminals, JSON, input files
    settings       the options that stand for keys of the configuration
    applications   an application's key and credentials; material: public keys for verifying
    init           the first configuration: init_answers, init_questions, init_postman, init_writing; first_run offers
                   to make it
    completion     for shells
    run            the proxy itself; companion starts the emulator beside it, on a leash
    check          everything short of a call: checking makes the rows, handshake looks at the banks' TLS
    sign           one request sealed and shown: sealers find rules and key, sealing walks proxy.core, curl writes it
    verify         a captured request judged; pasted/ reads it and verification/ judges it, neither shares code with the
                   signer; verify_explained is its --explain, with verify_inputs, verify_keys, side_by_side, next_steps;
                   veil hides secrets
    cert           certificates shown, judged, requested: certificates reads and writes files, certificate_views shows,
                   revocation_status asks the issuer
    ssa            the Software Statement Assertion of the onboarding
    ca             the authority of interception: authorities loads it, client_environment is what clients are told
    execute        exec: a command with all of that set
    audit          the audit trail judged and shown; audit_views words it
    configuration  config schema, config show
    actions        reload, rotate, wait, shutdown: what is asked of a running proxy
    health         the container's health check; admin_client is how all of these find and ask the admin port

Each command is a module that loads what it needs when it runs, so that none pays for another.
"""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """The console script.

    Libraries warn about certificates that others have made, in lines of their own on standard error; -W brings them
    back.
    """
    import sys
    import warnings

    from proxy.cli.program import program

    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    program.main(prog_name="signing-proxy")
