"""The kiosk's connection with a real broker: lost, refused, taken over, and back."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import random
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from atonce.agent import mqtt_broker, mqtt_link
from atonce.agent.mqtt_broker import OwnBroker, Watcher
from atonce.agent.mqtt_link import MOST_WAITING, Broker, MqttLink, security
from atonce.agent.mqtt_messages import Message, Presence, Presences, Topics
from atonce.config.errors import SettingsError
from atonce.config.load import defaults

pytestmark = pytest.mark.skipif(
    mqtt_broker.program() is None, reason="needs mosquitto: apt-get install mosquitto"
)
TOPICS = Topics("museum/one")
STATUS = TOPICS.status
PATIENCE_S = 20.0
"""All takes tenths of a second; a busy machine takes longer."""


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[OwnBroker]:
    with OwnBroker(tmp_path) as own:
        yield own


@dataclass(slots=True)
class Kiosk:
    """A link, and what came of it."""

    link: MqttLink
    said: list[str] = field(default_factory=list)
    received: list[tuple[str, bytes, bool]] = field(default_factory=list)

    async def until(self, words: str, times: int = 1) -> None:
        """Until it has said this so often."""
        await _until(lambda: sum(words in line for line in self.said) >= times)

    async def gets(self, count: int) -> None:
        """Until so many commands have come."""
        await _until(lambda: len(self.received) >= count)


async def _until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not is_so():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def status(presence: Presence, reason: str = "") -> Message:
    """Each its own: it has the moment at which it was made."""
    presences = Presences(TOPICS, "0.1.0", (), is_publishing_transcripts=False)
    return presences.of(presence, reason, datetime.datetime.now(datetime.UTC))


@contextlib.asynccontextmanager
async def kiosk(
    port: int, *, password: str = "", context: ssl.SSLContext | None = None, **settings: Any
) -> AsyncIterator[Kiosk]:
    """A link that runs; at the end it takes its leave."""
    section = defaults().settings.kiosk.model_copy(update={"port": port, **settings})
    made = Kiosk.__new__(Kiosk)
    made.said, made.received = [], []
    made.link = MqttLink(
        Broker(section, password, context),
        TOPICS,
        will=status("offline", "lost"),
        farewell=lambda: status("offline"),
        receive=lambda *got: made.received.append(got),
        say=made.said.append,
        chance=random.Random(1),
    )
    made.link.publish(status("online"))

    async with asyncio.timeout(6 * PATIENCE_S), asyncio.TaskGroup() as group:
        running = group.create_task(made.link.run())
        try:
            yield made
        finally:
            running.cancel()


@contextlib.asynccontextmanager
async def way(to: int, *, port: int = 0, is_old: bool = False) -> AsyncIterator[int]:
    """Another port for a broker; is_old: MQTT 5 is refused, as by one that never heard of it."""

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(4096):
                writer.write(data)

        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.read(4096)

        if is_old and first[first.index(b"MQTT") + 4] == 5:
            writer.write(bytes([0x20, 2, 0, 1]))
            writer.close()
            return

        there, back = await asyncio.open_connection("127.0.0.1", to)
        back.write(first)
        with contextlib.suppress(asyncio.CancelledError):  # the test is over
            async with asyncio.TaskGroup() as group:
                group.create_task(pass_on(reader, back))
                group.create_task(pass_on(there, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    async with server:
        yield server.sockets[0].getsockname()[1]


def test_a_kiosk_is_online_while_it_lives_and_offline_when_it_ends_in_order(
    broker: OwnBroker,
) -> None:
    async def live() -> None:
        async with kiosk(broker.port) as one:
            await one.until("connected with the MQTT broker 127.0.0.1 port")
            await asyncio.to_thread(watcher.wait_for, STATUS, lambda it: it["status"] == "online")

    with Watcher(broker.port) as watcher:
        asyncio.run(live())
        watcher.wait_for(STATUS, lambda it: it["status"] == "offline")

    with Watcher(broker.port) as late:
        assert late.wait_for(STATUS).is_retained
        assert late.heard[0].content["status"] == "offline"
        assert late.heard[0].content["reason"] != "lost"


def test_after_a_restart_of_the_broker_it_publishes_and_hears_again(broker: OwnBroker) -> None:
    async def live() -> None:
        async with kiosk(broker.port) as one:
            await one.until("connected")
            await asyncio.to_thread(broker.stop)
            await one.until("was lost")
            one.link.publish(Message("museum/one/error", b'{"while": "away"}'))
            one.link.publish(Message("museum/one/state", b'{"state": "old"}', is_retained=True))
            one.link.publish(Message("museum/one/state", b'{"state": "new"}', is_retained=True))
            await asyncio.to_thread(broker.start)
            await one.until("connected", times=2)

            with Watcher(broker.port) as watcher:
                await asyncio.to_thread(watcher.wait_for, STATUS)
                state = await asyncio.to_thread(watcher.wait_for, "museum/one/state")
                assert state.content == {"state": "new"}
                watcher.send("museum/one/command/stop", b"{}")
                await one.gets(1)

            assert one.received == [("stop", b"{}", False)]
            assert len(one.said) == 3  # each thing once
            assert "the talk goes on without it" in one.said[1]

    asyncio.run(live())


# aiomqtt leaves a connection that was never answered to the next sign of life, or to the end.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_broker_that_hangs_holds_nothing_up_and_is_found_again(
    broker: OwnBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt_link, "ANSWER_S", 0.7)
    monkeypatch.setattr(mqtt_link, "LONGEST_WAIT_S", 1.0)

    async def live() -> None:
        loop = asyncio.get_running_loop()
        async with kiosk(broker.port) as one:
            await one.until("connected")
            broker.freeze()
            began_s = loop.time()

            for number in range(1000):
                one.link.publish(Message("museum/one/error", str(number).encode()))

            assert loop.time() - began_s < 0.5
            await one.until("was lost")
            await one.until("it does not answer")
            broker.thaw()
            await one.until("connected", times=2)
            await one.link.settle(PATIENCE_S)

            with Watcher(broker.port) as watcher:
                last = await asyncio.to_thread(watcher.wait_for, STATUS)
                assert last.content["status"] == "online"

    asyncio.run(live())


def test_what_happened_while_the_broker_was_away_is_told_in_order_and_not_without_bound(
    broker: OwnBroker, tmp_path: Path
) -> None:
    async def live() -> None:
        nobody = OwnBroker(tmp_path).port

        with Watcher(broker.port) as watcher:
            async with kiosk(nobody) as one:
                await one.until("cannot be reached: nobody listens there")

                for number in range(MOST_WAITING + 7):
                    one.link.publish(Message("museum/one/error", str(number).encode()))

                assert one.link.dropped == 7

                async with way(broker.port, port=nobody):
                    last = MOST_WAITING + 6
                    await asyncio.to_thread(
                        watcher.wait_for, "museum/one/error", lambda it: it == last
                    )

            told = [one.content for one in watcher.heard if one.topic == "museum/one/error"]
            assert told == list(range(7, MOST_WAITING + 7))

    asyncio.run(live())


def test_a_cancel_that_comes_at_the_moment_of_the_answer_is_heeded() -> None:
    class Late:
        """Answers just when it is cancelled, as asyncio.wait_for does until Python 3.12."""

        async def publish(self, *_: object, **__: object) -> None:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(PATIENCE_S)

    async def live() -> None:
        link = MqttLink(
            Broker(defaults().settings.kiosk, "", None),
            TOPICS,
            will=status("offline"),
            farewell=lambda: status("offline"),
            receive=lambda *_: None,
            say=lambda _: None,
        )
        link.publish(Message("museum/one/error", b"{}"))

        async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
            sending = group.create_task(link._send(cast("Any", Late())))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            sending.cancel()

        assert sending.cancelled()

    asyncio.run(live())


def test_a_retained_command_is_known_as_one_whether_it_was_there_or_comes_now(
    broker: OwnBroker,
) -> None:
    async def live() -> None:
        with Watcher(broker.port) as watcher:
            watcher.send("museum/one/command/say", b"before", is_retained=True)

            async with kiosk(broker.port) as one:
                await one.until("connected")
                watcher.send("museum/one/command/say", b"now", is_retained=True)
                watcher.send("museum/one/command/say", b"", is_retained=True)  # clears it
                watcher.send("museum/one/command/say", b"live")
                watcher.send("museum/one/other", b"not for us")
                await one.gets(3)

        assert one.received == [
            ("say", b"before", True),
            ("say", b"now", True),
            ("say", b"live", False),
        ]

    asyncio.run(live())


def test_a_will_of_long_ago_does_not_stand_over_a_kiosk_that_lives(broker: OwnBroker) -> None:
    async def live() -> None:
        async with kiosk(broker.port) as one:
            await one.until("connected")
            with Watcher(broker.port) as watcher:
                await asyncio.to_thread(watcher.wait_for, STATUS)
                before = len(watcher.heard)
                watcher.send(STATUS, status("offline", "lost").payload, is_retained=True)
                await asyncio.to_thread(
                    watcher.wait_for, STATUS, lambda it: it["status"] == "online", after=before
                )

    asyncio.run(live())


def said_first(words: str, port: int, **settings: Any) -> str:
    """What a kiosk says first, if it has these words."""

    async def live() -> str:
        async with kiosk(port, **settings) as one:
            await one.until(words)
            assert not one.link.is_connected
            return one.said[0]

    return asyncio.run(live())


def secured(tmp_path: Path, *more: str) -> OwnBroker:
    """A broker that wants a name and a password."""
    users = tmp_path / "users"
    making = [mqtt_broker.program("mosquitto_passwd") or "", "-b", "-c", str(users)]
    subprocess.run([*making, "kiosk", "right"], check=True, capture_output=True)
    return OwnBroker(tmp_path, lines=["allow_anonymous false", f"password_file {users}", *more])


def test_a_wrong_password_is_told_with_where_it_stands_and_never_itself(tmp_path: Path) -> None:
    with secured(tmp_path) as own:
        sentence = said_first("refuses", own.port, username="kiosk", password="wrong-one")
        assert "refuses the user kiosk" in sentence
        assert "ATONCE_MQTT_PASSWORD" in sentence
        assert "wrong-one" not in sentence
        assert "kiosk.username" in said_first("wants a username", own.port)


def test_the_right_password_lets_it_in(tmp_path: Path) -> None:
    async def live(port: int) -> None:
        async with kiosk(port, username="kiosk", password="right") as one:
            await one.until("connected")

    with secured(tmp_path) as own:
        asyncio.run(live(own.port))


def test_a_topic_that_the_broker_does_not_allow_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt_link, "ANSWER_S", 1.0)
    access = tmp_path / "access"
    access.write_text("user kiosk\ntopic readwrite museum/two/#\n")

    async def live(port: int) -> list[str]:
        async with kiosk(port, username="kiosk", password="right") as one:
            await one.until("does not let")
            return one.said

    with secured(tmp_path, f"acl_file {access}") as own:
        sentence = asyncio.run(live(own.port))[-1]

    assert "does not let kiosk use museum/one/status" in sentence
    assert "kiosk.base_topic" in sentence


def test_a_topic_that_may_be_read_but_not_written_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt_link, "ANSWER_S", 1.0)
    access = tmp_path / "access"
    access.write_text("user kiosk\ntopic read museum/one/#\n")

    async def live(port: int) -> list[str]:
        async with kiosk(port, username="kiosk", password="right") as one:
            await one.until("does not let kiosk use museum/one/status")
            return one.said

    with secured(tmp_path, f"acl_file {access}") as own:
        asyncio.run(live(own.port))


def test_two_kiosks_of_one_name_are_told_and_do_not_throw_each_other_out(
    broker: OwnBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def live() -> None:
        async with kiosk(broker.port) as first:
            await first.until("connected")
            monkeypatch.setattr(mqtt_link, "KEEP_AWAY_S", 0.5)
            async with kiosk(broker.port) as second:
                await second.until("connected")
                await first.until("another kiosk took over the name atonce-kiosk")
                await asyncio.sleep(1.5)  # longer than the first attempt after any other loss
                assert second.link.is_connected
                assert not first.link.is_connected
                assert "kiosk.client_id" in first.said[-1]
                assert len(second.said) == 1

            await first.until("connected", times=2)  # the other one is gone

    asyncio.run(live())


def test_a_broker_that_speaks_only_the_old_protocol_is_spoken_to_in_it(broker: OwnBroker) -> None:
    async def live() -> None:
        async with way(broker.port, is_old=True) as port, kiosk(port) as one:
            await one.until("connected")
            with Watcher(broker.port) as watcher:
                await asyncio.to_thread(watcher.wait_for, STATUS)
                watcher.send("museum/one/command/stop", b"{}")
                await one.gets(1)

            assert len(one.said) == 1  # not a word about the version

    asyncio.run(live())


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"host": "no-such-host.invalid"}, "correct kiosk.host"),
        ({"host": "127.0.0.1"}, "is the broker running"),
    ],
)
def test_a_broker_that_is_not_there_is_told(
    settings: dict[str, str], words: str, broker: OwnBroker
) -> None:
    broker.stop()
    assert words in said_first("cannot be reached", broker.port, **settings)


# ---- TLS, with an authority of our own ----


def made_authority(folder: Path) -> tuple[Path, Path, Path]:
    """Files of an authority's certificate, and of a certificate for 127.0.0.1 with its key."""
    now = datetime.datetime.now(datetime.UTC)
    signer, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    own = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "our own authority")])
    here = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "broker")])

    def made(subject: x509.Name, public: Any, extensions: list[Any]) -> bytes:
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(own)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)

        return builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    files = folder / "authority.pem", folder / "broker.pem", folder / "broker.key"
    identity = x509.SubjectKeyIdentifier.from_public_key(signer.public_key())
    authority = [x509.BasicConstraints(ca=True, path_length=None), identity]
    names = [
        x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]),
        x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()),
    ]
    files[0].write_bytes(made(own, signer.public_key(), authority))
    files[1].write_bytes(made(here, key.public_key(), names))
    files[2].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return files


# paho-mqtt leaves the socket of a failed handshake to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_connection_is_encrypted_and_only_with_a_broker_that_is_trusted(tmp_path: Path) -> None:
    authority, certificate, key = made_authority(tmp_path)
    lines = ["allow_anonymous true", f"certfile {certificate}", f"keyfile {key}"]
    section = defaults().settings.kiosk

    async def live(port: int) -> None:
        trusting = section.model_copy(update={"tls": True, "tls_authority": str(authority)})
        async with kiosk(port, context=security(trusting)) as one:
            await one.until("connected")

    with OwnBroker(tmp_path, lines=lines) as own:
        asyncio.run(live(own.port))
        strange = security(section.model_copy(update={"tls": True}))
        assert "kiosk.tls_authority" in said_first("not trusted", own.port, context=strange)

    with OwnBroker(tmp_path) as plain:
        assert "kiosk.tls" in said_first("it hung up", plain.port, context=strange)


def test_a_file_that_holds_no_authority_is_told(tmp_path: Path) -> None:
    section = defaults().settings.kiosk
    assert security(section) is None
    (tmp_path / "empty.pem").write_text("nothing")

    for name in ("empty.pem", "missing.pem"):
        with pytest.raises(SettingsError, match=rf"kiosk\.tls_authority: .*{name} cannot be used"):
            security(
                section.model_copy(update={"tls": True, "tls_authority": str(tmp_path / name)})
            )
