"""The first configuration: five questions on a terminal, or flags, and files that only their owner can read."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import click

from proxy.cli.output import show

EPILOG = """\b
Examples:
  signing-proxy init
  signing-proxy init --profile nordea-sandbox --client-id 4a2b… --client-secret-file secret.txt --skip-signature
  signing-proxy init --postman-environment nordea.postman_environment.json sandbox.yaml
  signing-proxy init --profile nordea --client-id 4a2b… --client-secret-file secrets/client-secret \\
      --key-file secrets/qseal.key --certificate-file secrets/qseal.crt production.yaml

\b
What is not given is asked for, on a terminal; elsewhere it is an error.  No option takes a secret: it is typed without
echo, or comes from a file, an environment variable or Postman's exported environment.  Secrets are written to files
of mode 0600 beside the configuration.
Exit codes: 0 written, 1 a file or key cannot be used or is there already, 2 an answer is missing or impossible.
"""


@click.command(epilog=EPILOG)
@click.argument("file", default="proxy.yaml")
@click.option("--profile", metavar="NAME", help="Bank and environment: nordea or nordea-sandbox.")
@click.option("--client-id", metavar="ID", help="Client id of the application, as in the bank's portal.")
@click.option("--client-secret-file", metavar="FILE", help="File that holds the client secret; it stays where it is.")
@click.option("--client-secret-env", metavar="NAME", help="Environment variable that will hold it for the proxy.")
@click.option("--postman-environment", metavar="FILE",
              help="Read client id and secret, and the key if it is there, from Postman's exported environment.")
@click.option("--key-file", metavar="FILE", help="Private key: PEM, DER, PKCS#12 or bare base64.")
@click.option("--key-password-file", metavar="FILE", help="File with the key's password.")
@click.option("--certificate-file", metavar="FILE", help="The key's certificate.")
@click.option("--skip-signature", is_flag=True, help="Sandbox without a key: let the bank skip the signature.")
@click.option("--application", default="bank", show_default=True, metavar="NAME", help="Name in the configuration.")
@click.option("--port", type=click.IntRange(1, 65535), default=8080, show_default=True, help="Port to listen on.")
@click.option("--secrets-directory", default="secrets", show_default=True, metavar="DIR",
              help="Where secrets are written, beside the configuration.")
@click.option("--force", is_flag=True, help="Replace files that are there.")
def init(**given: Any) -> None:
    """Write a commented configuration, by asking five questions or from flags."""
    for line in configure(given):
        show(line)


def configure(given: dict[str, Any]) -> list[str]:
    """given: the options of `init`.  Returns what to tell.  Raises click.UsageError, ProxyError."""
    from proxy.cli.certificates import require_new
    from proxy.cli.init_answers import answers_of, check_answers, require_all
    from proxy.cli.init_writing import write

    require_new(given["file"], force=given["force"])
    answers = answers_of(given)
    if sys.stdin.isatty() and sys.stderr.isatty():
        from proxy.cli.init_questions import ask
        answers = ask(answers)
    require_all(answers)
    answers = replace(answers, warnings=check_answers(answers))
    return write(answers, given["file"], given["secrets_directory"], force=given["force"])
