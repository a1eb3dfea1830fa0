"""Sign and verify a root with `ssh-keygen -Y`: the keys and files that git uses for signed commits.

Source: ssh-keygen(1), "ALLOWED SIGNERS"; the format is PROTOCOL.sshsig of OpenSSH.
"""

import base64
import shutil
import subprocess
import tempfile
from pathlib import Path

from registry.errors import RegistryError, UsageError

NAMESPACE = "process-registry"
_LIMIT_S = 120


class BadSignatureError(RegistryError):
    """A signature is missing or not of an allowed signer."""

    exit_code = 1


def sign(data: bytes, key: Path) -> bytes:
    """Return the signature of `data` by a key: a private key file, or a public one whose agent has the other.

    Raises UsageError when the key cannot be used.
    """
    if not key.is_file():
        raise UsageError(f"{key} is not a key file", "name a key that ssh-keygen made")
    done = _run("-Y", "sign", "-q", "-n", NAMESPACE, "-f", str(key), data=data)
    if done.returncode or not done.stdout.startswith(b"-----BEGIN SSH SIGNATURE-----"):
        raise UsageError(
            f"{key} cannot sign: {_reason(done)}",
            "a key with a passphrase needs ssh-agent",
        )
    return done.stdout


def signing_key(signature: bytes) -> bytes:
    """Return the public key that a signature contains, b"" for a broken signature.

    Source: PROTOCOL.sshsig of OpenSSH, "Blob format".
    """
    try:
        blob = base64.b64decode(b"".join(signature.split(b"\n")[1:-2]), validate=True)
    except ValueError:
        return b""
    start = len(b"SSHSIG") + 4  # after the version
    return blob[start + 4 : start + 4 + int.from_bytes(blob[start : start + 4])]


def verify_signature(data: bytes, signature: bytes | None, allowed_signers: Path) -> str:
    """Return the name of the signer in the file `allowed_signers`. Raises BadSignatureError."""
    if not allowed_signers.is_file():
        raise UsageError(f"{allowed_signers} is not a file", "see ALLOWED SIGNERS in `man ssh-keygen`")
    if signature is None:
        raise BadSignatureError("the site is not signed", "publish with --sign KEY")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "root.json.sig")
        file.write_bytes(signature)
        found = _run("-Y", "find-principals", "-s", str(file), "-f", str(allowed_signers))
        signer = found.stdout.decode("utf-8", "replace").splitlines()[:1]
        if found.returncode or not signer:
            raise BadSignatureError("the signature is not of an allowed signer")
        options = ("-n", NAMESPACE, "-I", signer[0], "-s", str(file), "-f", str(allowed_signers))
        done = _run("-Y", "verify", *options, data=data)
    if done.returncode:
        raise BadSignatureError("the signature does not fit the site", "the root was changed after signing")
    return signer[0]


def _run(*words: str, data: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    program = shutil.which("ssh-keygen")
    if program is None:
        raise UsageError("ssh-keygen is not installed", "install OpenSSH (Debian: openssh-client)")
    try:
        return subprocess.run(
            [program, *words], input=data, capture_output=True, check=False, timeout=_LIMIT_S
        )
    except subprocess.TimeoutExpired as error:
        raise UsageError("ssh-keygen does not answer", "a key with a passphrase needs ssh-agent") from error


def _reason(done: "subprocess.CompletedProcess[bytes]") -> str:
    words = (done.stderr or done.stdout).decode("utf-8", "replace").split("\n", 1)[0]
    return words or f"ssh-keygen ended with {done.returncode}"
