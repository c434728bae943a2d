"""One mapping of `kafka:` for every client; certificate files that cannot be used are told by name."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from connector.errors import SettingsError
from connector.kafka.clients import Connection, connect, producer
from connector.settings.kafka import KafkaSettings
from connector.settings.model import Settings
from tests.kafka.certificates import Certificates, make_certificates

SASL = {"sasl.username": "me", "sasl.password": "secret"}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


def kafka(**settings: str) -> KafkaSettings:
    return KafkaSettings.model_validate({"bootstrap.servers": "a:1, b:2", "client.id": "c", **settings})


@pytest.mark.parametrize(
    ("protocol", "mechanism", "tls"),
    [
        ("PLAINTEXT", None, False),
        ("SSL", None, True),
        ("SASL_PLAINTEXT", "PLAIN", False),
        ("SASL_PLAINTEXT", "SCRAM-SHA-256", False),
        ("SASL_SSL", "SCRAM-SHA-512", True),
    ],
)
def test_each_protocol_gives_what_the_client_needs_and_nothing_else(protocol, mechanism, tls) -> None:
    sasl = {"sasl.mechanism": mechanism, **SASL} if mechanism else {}
    options = connect(kafka(**{"security.protocol": protocol}, **sasl)).options()
    assert (options.pop("ssl_context") is not None) is tls
    expected = {"bootstrap_servers": ["a:1", "b:2"], "client_id": "c", "security_protocol": protocol}
    if mechanism:
        expected |= {"sasl_mechanism": mechanism, "sasl_plain_username": "me", "sasl_plain_password": "secret"}
    assert options == expected


def test_a_connection_does_not_show_its_password() -> None:
    assert "secret" not in repr(
        connect(kafka(**{"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN"}, **SASL))
    )


@pytest.mark.parametrize(("algorithm", "checked"), [("https", True), ("none", False)])
@pytest.mark.parametrize("own_authority", [True, False])
def test_the_chain_is_always_verified_and_the_host_name_on_demand(
    certificates, algorithm, checked, own_authority
) -> None:
    settings = {"security.protocol": "SSL", "ssl.endpoint.identification.algorithm": algorithm}
    if own_authority:
        settings["ssl.ca.location"] = str(certificates.ca)
    context = connect(kafka(**settings)).ssl_context
    assert context.check_hostname is checked
    assert context.verify_mode.name == "CERT_REQUIRED"


def test_naming_an_authority_trusts_no_other(certificates) -> None:
    context = connect(kafka(**{"security.protocol": "SSL", "ssl.ca.location": str(certificates.ca)})).ssl_context
    assert [dict(part[0] for part in each["subject"]) for each in context.get_ca_certs()] == [
        {"commonName": "test authority"}
    ]


def test_a_key_with_a_password_is_opened_with_it_and_never_asked_for(certificates, tmp_path: Path) -> None:
    key = serialization.load_pem_private_key(certificates.client_key.read_bytes(), None)
    locked = tmp_path / "locked.key"
    locked.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"hunter2 sesame"),
        )
    )
    settings = {
        "security.protocol": "SSL",
        "ssl.certificate.location": str(certificates.client_certificate),
        "ssl.key.location": str(locked),
    }
    assert connect(kafka(**settings, **{"ssl.key.password": "hunter2 sesame"})).ssl_context is not None
    for wrong in ({"ssl.key.password": "hunter2-guess"}, {}):
        with pytest.raises(SettingsError, match=r"kafka\.ssl\.certificate\.location"):
            connect(kafka(**settings, **wrong))


def test_all_files_that_cannot_be_used_are_told_at_once(certificates, tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("not a certificate")
    settings = {
        "security.protocol": "SSL",
        "ssl.ca.location": str(tmp_path / "empty.pem"),
        "ssl.certificate.location": str(tmp_path / "nowhere.pem"),
    }
    with pytest.raises(SettingsError) as caught:
        connect(kafka(**settings))
    authority, certificate = caught.value.problems
    assert (authority.path, certificate.path) == ("kafka.ssl.ca.location", "kafka.ssl.certificate.location")
    assert "empty.pem cannot be used" in authority.message
    assert certificate.message.endswith("nowhere.pem cannot be used: No such file or directory")


async def test_the_producer_is_idempotent_patient_and_takes_any_event_of_the_sources() -> None:
    made = producer(Settings(), limits={"in": 3_000_000, "out": 100_000})
    try:
        assert made._txn_manager is not None
        assert made._txn_manager.transactional_id is None
        assert made._request_timeout_ms == 300_000
        assert made._max_request_size == 3_000_000 + 16 * 1024
        assert made._message_accumulator._batch_size == 100_000
    finally:
        await made.stop()


def test_a_connection_without_tls_and_sasl_is_plain() -> None:
    assert connect(kafka()) == Connection(("a:1", "b:2"), "c", "PLAINTEXT")
