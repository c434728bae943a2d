"""TLS: files that are renewed while a worker runs, and private authorities as people make them."""

import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from connector.config_text.environment import Environment
from connector.definition.load import load
from connector.definition.tree import Definition
from connector.definition.watch import fingerprint
from connector.delivery.http.client import HttpTransport
from connector.errors import DefinitionError, Phase, RequestError
from tests.kafka import certificates as made
from tests.kafka.certificates import Certificates, make_certificates

from .servers import answering, post, reply, server_context, serving, transport

DEFINITION = """
name: acme
method: POST
url: https://127.0.0.1:{port}/send
parameters: {{json: {{to: $$To, text: $$Body}}}}
http: {{private_hosts: true, ca: {ca}, certificate: {certificate}, key: {key}}}
"""

NOWHERE = Environment({})


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("old"))


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("new"))


class Mounted:
    """A folder as Kubernetes mounts a secret: links to a link to a folder, which is swapped."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._count = 0
        folder.mkdir()

    def put(self, files: Certificates, **changes: bytes) -> None:
        self._count += 1
        version = self.folder / f"..{self._count}"
        version.mkdir()
        for name, file in (("ca", files.ca), ("certificate", files.client_certificate), ("key", files.client_key)):
            (version / name).write_bytes(changes.get(name, file.read_bytes()))
            link = self.folder / name
            if not link.is_symlink():
                link.symlink_to(f"..data/{name}")
        swapped = self.folder / "..tmp"
        swapped.symlink_to(version.name)
        swapped.rename(self.folder / "..data")

    def definition(self, port: int = 1) -> Definition:
        file = self.folder.parent / "acme.yaml"
        if file.exists() and f":{port}/" in file.read_text():
            return load(file, environment=NOWHERE)
        names = {name: self.folder / name for name in ("ca", "certificate", "key")}
        file.write_text(DEFINITION.format(port=port, **names))
        return load(file, environment=NOWHERE)


def test_a_renewed_file_makes_another_definition_and_is_seen(
    tmp_path: Path, old: Certificates, new: Certificates
) -> None:
    mounted = Mounted(tmp_path / "tls")
    mounted.put(old)
    before = mounted.definition()

    def seen() -> object:
        return fingerprint([], [before], NOWHERE)

    first = seen()
    assert mounted.definition() == before
    assert seen() == first
    mounted.put(old)  # the same, put anew: seen, and nothing changes
    assert seen() != first
    assert mounted.definition() == before
    for name in ("ca", "certificate", "key"):
        at = seen()
        mounted.put(old, **{name: (new.ca if name == "ca" else new.client_key).read_bytes()})
        assert seen() != at
        assert mounted.definition() != before
    (tmp_path / "tls" / "ca").unlink()
    assert mounted.definition() != before


async def test_a_renewed_certificate_is_used_and_a_broken_one_is_not(
    tmp_path: Path, old: Certificates, new: Certificates
) -> None:
    mounted = Mounted(tmp_path / "tls")
    mounted.put(old)
    async with (
        serving(answering(reply()), server_context(old.server, old.ca)) as before,
        serving(answering(reply()), server_context(new.server, new.ca)) as after,
    ):
        client = HttpTransport(mounted.definition(before.port))
        assert (await client.send(post(before.url))).status == 200
        mounted.put(new, key=b"broken")
        with pytest.raises(DefinitionError) as caught:
            HttpTransport(mounted.definition(after.port))
        assert "http.certificate" in str(caught.value)
        assert str(tmp_path / "tls" / "certificate") in str(caught.value)
        assert (await client.send(post(before.url))).status == 200
        mounted.put(new)
        renewed = HttpTransport(mounted.definition(after.port))
        assert (await renewed.send(post(after.url))).status == 200
        with pytest.raises(RequestError):
            await renewed.send(post(before.url))
        await client.close()
        await renewed.close()


# ---- private authorities --------------------------------------------------------------------------------------------


def plain_authority(folder: Path) -> tuple[Path, Path]:
    """An authority and a server as `openssl req -x509` of old made them: no key identifiers, no key usage."""
    key = made._key()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "an old authority")])
    ca = (
        made._builder(name, name, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=False)
        .sign(key, hashes.SHA256())
    )
    server_key = made._key()
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    names = [x509.DNSName("localhost"), x509.IPAddress(made.ipaddress.ip_address("127.0.0.1"))]
    server = (
        made._builder(subject, name, server_key)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "ca.pem").write_bytes(ca.public_bytes(pem))
    (folder / "server.pem").write_bytes(server_key.private_bytes(pem, *plain) + server.public_bytes(pem))
    return folder / "ca.pem", folder / "server.pem"


async def test_a_private_authority_without_key_identifiers_is_taken(tmp_path: Path) -> None:
    ca, server_pem = plain_authority(tmp_path)
    async with serving(answering(reply()), server_context(server_pem)) as server:
        async with transport(ca=str(ca)) as client:
            assert not client._ssl.verify_flags & ssl.VERIFY_X509_STRICT
            assert client._ssl.verify_flags & ssl.VERIFY_X509_PARTIAL_CHAIN
            assert (await client.send(post(server.url))).status == 200
        async with transport() as client:
            with pytest.raises(RequestError) as caught:
                await client.send(post(server.url))
            assert caught.value.phase is Phase.TLS
