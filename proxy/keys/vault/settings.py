"""What can be set about Vault: where it is, who we are there, and where in it a key or a value is kept."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, Literal

from msgspec import Meta, Struct

_Version = Annotated[int, Meta(ge=1)]
_Seconds = Annotated[float, Meta(gt=0)]
_Lanes = Annotated[int, Meta(ge=1, le=512)]
_Retries = Annotated[int, Meta(ge=0, le=10)]
JWT_FILE: Final = "/var/run/secrets/kubernetes.io/serviceaccount/token"


class VaultAppRole(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Login as an AppRole."""

    mount: Annotated[str, Meta(description="Where the auth method is mounted.")] = "approle"
    role_id: Annotated[str | None, Meta(description="The role id, which is no secret.")] = None
    role_id_file: Annotated[str | None, Meta(description="File that holds the role id.")] = None
    secret_id_file: Annotated[str | None, Meta(description="File that holds the secret id.")] = None
    secret_id_env: Annotated[str | None, Meta(description="Environment variable that holds the secret id.")] = None
    wrapped: Annotated[bool, Meta(description=(
        "What is there is a response-wrapping token: it is unwrapped once, and a new one is looked for when the secret "
        "id is no longer good."))] = False


class VaultKubernetes(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Login with the pod's service account."""

    role: Annotated[str, Meta(description="Role in Vault that the service account is bound to.")]
    mount: Annotated[str, Meta(description="Where the auth method is mounted.")] = "kubernetes"
    jwt_file: Annotated[str, Meta(description="File with the service account's token; read anew at each login.")] = (
        JWT_FILE)


class VaultSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where Vault is and who the proxy is there."""

    shorthand: ClassVar[str] = "address"

    address: Annotated[str | None, Meta(description=(
        "`https://host:port`, or `http://` on this machine (an agent); by default the variable `VAULT_ADDR`."))] = None
    namespace: Annotated[str | None, Meta(description=(
        "Namespace of every path; by default the variable `VAULT_NAMESPACE`."))] = None
    ca_file: Annotated[str | None, Meta(description=(
        "PEM file of the authorities that Vault's certificate is checked against, instead of the system's; by default "
        "the variable `VAULT_CACERT`."))] = None
    token_file: Annotated[str | None, Meta(description=(
        "File that holds the token and that something else keeps fresh, such as a Vault agent's sink; read again every "
        "few seconds."))] = None
    token_env: Annotated[str | None, Meta(description=(
        "Environment variable that holds the token; `VAULT_TOKEN` where nothing else is set."))] = None
    approle: Annotated[VaultAppRole | None, Meta(description="Log in as an AppRole.")] = None
    kubernetes: Annotated[VaultKubernetes | None, Meta(description="Log in with the pod's service account.")] = None
    allow_group_read: Annotated[bool, Meta(description=(
        "Accept token and secret id files that their group may read, as agents and `fsGroup` make them."))] = False
    timeout: Annotated[_Seconds, Meta(description="Seconds for one attempt to ask Vault, connecting included.")] = 5.0
    retries: Annotated[_Retries, Meta(description=(
        "Further attempts after a connection error, a 5xx or a 429, each after a random wait."))] = 3
    start_timeout: Annotated[Annotated[float, Meta(ge=0)], Meta(description=(
        "Seconds to wait for Vault at the start; then the proxy ends with 1."))] = 60.0
    transit_timeout: Annotated[_Seconds, Meta(description=(
        "Seconds for one Transit signature, all attempts included: a request waits for it."))] = 2.0
    transit_lanes: Annotated[_Lanes, Meta(description=(
        "Transit signatures in flight at a time; four times as many may wait."))] = 64

    @property
    def has_auth(self) -> bool:
        return any((self.token_file, self.token_env, self.approle, self.kubernetes))


class VaultField(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One value in a KV secret."""

    mount: Annotated[str, Meta(description="Where the KV engine is mounted.")] = "secret"
    path: Annotated[str, Meta(description="Path of the secret below the mount, without `data/`.")]
    field: Annotated[str, Meta(description="Name of the field.")]
    version: Annotated[_Version | None, Meta(description="Version of the secret; by default the latest.")] = None
    kv: Annotated[Literal[1, 2], Meta(description="Version of the KV engine.")] = 2


class VaultKey(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A private key in a KV secret, with its certificate in another field beside it."""

    mount: Annotated[str, Meta(description="Where the KV engine is mounted.")] = "secret"
    path: Annotated[str, Meta(description="Path of the secret below the mount, without `data/`.")]
    key_field: Annotated[str, Meta(description=(
        "Field with the private key: PEM, or base64 of DER or PKCS#12."))] = "private_key"
    certificate_field: Annotated[str | None, Meta(description=(
        "Field with the certificate, PEM or base64; left out where the key's field holds it."))] = None
    password_field: Annotated[str | None, Meta(description="Field with the key's password.")] = None
    version: Annotated[_Version | None, Meta(description="Version of the secret; by default the latest.")] = None
    kv: Annotated[Literal[1, 2], Meta(description="Version of the KV engine.")] = 2


class TransitKey(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An RSA key in Vault's Transit engine, which makes the signatures itself."""

    mount: Annotated[str, Meta(description="Where the Transit engine is mounted.")] = "transit"
    key: Annotated[str, Meta(description="Name of the key.")]
    version: Annotated[_Version | None, Meta(description=(
        "Version of the key; by default the newest that the certificate was issued for."))] = None
    prehashed: Annotated[bool, Meta(description=(
        "Send the SHA-256 of what is signed instead of the bytes, which then stay here."))] = False
    certificate_file: Annotated[str | None, Meta(description="File with the certificate, PEM or DER.")] = None
    certificate_vault: Annotated[VaultField | None, Meta(description="Where in KV the certificate is instead.")] = None


Place = VaultField | VaultKey
