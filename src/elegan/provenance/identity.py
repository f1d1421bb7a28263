"""Who signs: a certificate chain of this user's own, made on first use, that says of itself that it is self-issued.

The profile is C2PA's (Technical Specification 2.4, "X.509 certificates"): a leaf that isn't its own issuer, ECDSA on
P-256, its uses told by EKU.  Nobody vouches for it: elsewhere its signatures are those of an unknown signer.
"""

import os
import shutil
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from elegan.errors import UserError
from elegan.provenance.place import home

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.x509 import Certificate, CertificateBuilder, KeyUsage

COMMON_NAME = "elegan local, self-issued"
"""No person, no host: a signature tells that a file came from this elegan, not who sat before it."""
ROOT_NAME = f"{COMMON_NAME} root"
CLAIM_SIGNING = "1.3.6.1.4.1.62558.2.1"
"""The extended key usage of C2PA's claim signers, c2pa-kp-claimSigning."""
LIFETIME = timedelta(days=3650)
"""Long, because without an authority's time stamp a signature lasts no longer than its certificate."""
CLOCK_SKEW = timedelta(days=1)


@dataclass(frozen=True)
class Identity:
    """A leaf that signs, its private key, and the root that says the leaf is this user's."""

    certificates: bytes
    """PEM: the leaf, then the root."""
    key: bytes = field(repr=False)
    """PEM, PKCS #8: the leaf's private key."""
    root: bytes
    """PEM: what others take as an anchor to trust this signer."""


def identity() -> Identity:
    """This user's identity, made in home()/identity where there is none.

    Raises UserError where it is damaged, has run out, or can't be read or made; it is never replaced silently.
    """
    folder = home() / "identity"
    try:
        if not folder.exists():
            _make(folder)
    except OSError as error:
        raise UserError(f'The signing identity can\'t be made in "{folder}": {error.strerror}.') from error
    try:
        found = Identity(*((folder / name).read_bytes() for name in ("certificates.pem", "key.pem", "root.pem")))
    except FileNotFoundError as error:
        raise _damaged(folder, f"{Path(error.filename).name} is missing") from error
    except OSError as error:
        raise UserError(f'The signing identity in "{folder}" can\'t be used: {error.strerror}.') from error
    _check(found, folder)
    return found


def known_root() -> bytes | None:
    """The root of this user's identity, PEM; None where there is no identity yet.  Makes nothing.

    Raises UserError where it can't be read or isn't the one that ``identity`` made: more certificates than that, or
    another, would have strangers trusted.
    """
    path = home() / "identity" / "root.pem"
    try:
        root = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UserError(f'The signing identity in "{path.parent}" can\'t be used: {error.strerror}.') from error
    if not _is_own(root):
        raise _damaged(path.parent, "root.pem isn't the one certificate of a root of elegan's")
    return root


def is_certificate(pem: bytes) -> bool:
    """Whether PEM holds certificates of issuers, which can be trusted for what they issued, and no others."""
    try:
        chain = _chain(pem)
        return bool(chain) and all(map(_issues, chain))
    except ValueError:
        return False


@lru_cache(maxsize=16)
def _is_own(pem: bytes) -> bool:
    """Whether PEM holds one certificate, of an issuer of elegan's name that issued itself."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.x509 import NameOID

    try:
        (root,) = _chain(pem)
        root.verify_directly_issued_by(root)
        names = [name.value for name in root.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        return _issues(root) and names == [ROOT_NAME]
    except (ValueError, TypeError, InvalidSignature):
        return False


def _issues(certificate: "Certificate") -> bool:
    """Whether a certificate is an issuer's, by its basic constraints."""
    from cryptography import x509

    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _damaged(folder: Path, why: str) -> UserError:
    return UserError(
        f'The signing identity in "{folder}" is damaged ({why}); bring the folder back from a copy, or move it away '
        "and a new identity is made."
    )


def _check(found: Identity, folder: Path) -> None:
    """UserError unless the chain holds together, the key is the leaf's, and the day lies in the leaf's lifetime."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        leaf, root = _chain(found.certificates)
        leaf.verify_directly_issued_by(root)
        (anchor,) = _chain(found.root)
        key = load_pem_private_key(found.key, None)
    except (ValueError, TypeError, InvalidSignature) as error:
        raise _damaged(folder, "its certificates or its key can't be read") from error
    if anchor != root or key.public_key() != leaf.public_key():
        raise _damaged(folder, "its files don't belong together")
    now = datetime.now(UTC)
    if now < leaf.not_valid_before_utc:
        raise UserError(
            f'The signing identity in "{folder}" begins {leaf.not_valid_before_utc:%Y-%m-%d}; set the clock.'
        )
    if now > leaf.not_valid_after_utc:
        raise UserError(
            f'The signing identity in "{folder}" ran out on {leaf.not_valid_after_utc:%Y-%m-%d}; move the folder away '
            "and a new identity is made."
        )


def _chain(pem: bytes) -> "list[Certificate]":
    from cryptography import x509

    return x509.load_pem_x509_certificates(pem)


def _make(folder: Path) -> None:
    """Write a new identity beside its place, then rename the whole folder; of two processes the first one's stays."""
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    files = _files()
    draft = Path(tempfile.mkdtemp(prefix=".identity.", dir=folder.parent))  # a folder of mode 0700
    try:
        for name, content in files.items():
            _write_private(draft / name, content)
        draft.rename(folder)
    except OSError:
        if not folder.exists():
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _write_private(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _files() -> dict[str, bytes]:
    """A new identity's files.

    The root's key is forgotten.  Whoever trusts this root then trusts one leaf, and no thief can issue another.
    What the key would be kept for is a new leaf under the old root, in ten years; signatures without a time stamp
    end with their leaf all the same, so that a new identity does as well.
    """
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = _root(root_key)
    leaf = _leaf(key, root, root_key)
    pem = [certificate.public_bytes(Encoding.PEM) for certificate in (leaf, root)]
    return {
        "certificates.pem": b"".join(pem),
        "root.pem": pem[1],
        "key.pem": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    }


def _root(key: "EllipticCurvePrivateKey") -> "Certificate":
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256

    return (
        _certificate(ROOT_NAME, ROOT_NAME, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(key, SHA256())
    )


def _leaf(key: "EllipticCurvePrivateKey", root: "Certificate", root_key: "EllipticCurvePrivateKey") -> "Certificate":
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.x509.oid import ExtendedKeyUsageOID

    # C2PA's library refuses its own signatures where e-mail protection isn't among the leaf's uses.
    uses = [ExtendedKeyUsageOID.EMAIL_PROTECTION, x509.ObjectIdentifier(CLAIM_SIGNING)]
    issuer = root.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    authority = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer)
    return (
        _certificate(COMMON_NAME, ROOT_NAME, key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(uses), critical=False)
        .add_extension(authority, critical=False)
        .sign(root_key, SHA256())
    )


def _certificate(subject: str, issuer: str, key: "EllipticCurvePrivateKey") -> "CertificateBuilder":
    """What root and leaf have in common; who signs it, and for what it serves, is still to be said."""
    from cryptography import x509

    def name(common: str) -> x509.Name:
        organisation = x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, COMMON_NAME)
        return x509.Name([organisation, x509.NameAttribute(x509.NameOID.COMMON_NAME, common)])

    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(signs_certificates: bool) -> "KeyUsage":
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
