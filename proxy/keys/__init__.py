"""Keeps the signing keys, so that the rest of the program only ever meets a key that has passed every check.

    source.py       what a place that keeps keys promises: KeySource -> LoadedKey with a Signer
    files.py        such a place: files, through guarded.py (nobody else may read them), material.py (PEM, DER,
                    base64), keystore.py (PKCS#12), unlock.py (passwords, library errors), pairing.py (which key, which
                    certificate); the result is an RsaSigner of rsa_signer.py
    pkcs11/         another: tokens, where the key stays; one thread owns each module
    admission.py    the gate every source goes through: size, pair, dates, test signature, warnings
    certificate.py  what a QSealC says about its holder; der.py reads the part the library does not
    credentials.py  client id and client secret
    keyring.py      one application's identity; a reload replaces it as a whole or not at all
    slots.py        an application's key in service and the next one, and when they change places, by the settings
                    of rotation.py
    authority.py    the certificate authority of interception: issuing.py makes its certificates, constraints.py limits
                    them to the bank hosts, ca_chain.py judges them, ca_directory.py keeps them, serving.py hands a leaf
                    to the TLS library
    trust.py        what clients are given so that they trust it
    linting.py      what a bank refuses about a certificate, with the table of findings.py; details.py reads more of it,
                    chain.py finds issuers, armour.py judges the file, upload.py what the portal gets, revocation.py
                    what the issuer says
    csr.py          key and request for a new certificate; statements.py writes its QCStatements
    assertion.py    the Software Statement Assertion: claims.py its content, jws.py its form
    watch.py        the task that notices changed files
"""
