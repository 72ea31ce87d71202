"""Updates on a board in memory: taken and refused."""

import hashlib

from wattle_meter import updating
from wattle_testkit.update_fakes import Session, made, run
from wattle_wire import bundle, update

FIRMWARE = bytes(range(256)) * 9 + b"end"
ALLIANCE = b'{"gateways": []}'
FILES = [(update.FIRMWARE, FIRMWARE), (update.ALLIANCE, ALLIANCE), ("authority0.der", b"DER")]


def test_an_update_is_received_tried_and_confirmed():
    async def story(board):
        life = Session(board)
        assert (life.slot, life.updater.news) == (0, None)
        await life.receive(made(5, FILES))
        assert life.updater.restart.is_set()
        assert board.slots.content[1, update.FIRMWARE] == FIRMWARE
        assert board.slots.content[1, update.ALLIANCE] == ALLIANCE
        life.end()
        life = Session(board)
        assert (life.slot, life.updater.news) == (1, (5, update.TRIAL, 0))
        versions = life.updater._versions
        assert (versions.running, versions.settings) == (5, 1)
        life.updater.service(False)
        assert life.updater._versions.on_trial
        life.updater.service(True)
        assert life.updater.news == (5, update.CONFIRMED, 0)
        life.end()
        # Firmware alone: the settings stay, the other slot is used.
        life = Session(board)
        assert life.slot == 1
        await life.receive(made(6, FILES[:1]))
        life.end()
        life = Session(board)
        versions = life.updater._versions
        assert (life.slot, versions.running, versions.settings) == (2, 6, 1)
        life.updater.service(True)
        # Settings alone: no firmware moves.
        await life.receive(made(7, FILES[1:], ""))
        life.end()
        life = Session(board)
        versions = life.updater._versions
        assert (life.slot, versions.running, versions.settings) == (2, 7, 2)
        assert board.slots.content[2, update.ALLIANCE] == ALLIANCE
        life.end()

    run(story)


def test_what_is_refused():
    async def story(board):
        life = Session(board)
        payload_of_one = made(5, FILES, members=(0,))
        one = payload_of_one.signatures[0].raw
        for message, news in (
            (b"\x82" + one + one, (0, update.MALFORMED, 0)),
            (b"\x82" + one, (0, update.MALFORMED, 0)),
            (b"\x82", (0, update.MALFORMED, 0)),
            (made(5, FILES, members=(0, 2)).message(), (5, update.SIGNATURE, 0)),
            (made(5, FILES, "esp32").message(), (5, update.BOARD, 0)),
        ):
            assert await life.take(message) == news, news
        forged = bytearray(made(5, FILES).message())
        forged[-1] ^= 1
        assert await life.take(bytes(forged)) == (5, update.SIGNATURE, 0)
        board.slots.room = 1000
        assert await life.take(made(5, FILES).message()) == (5, update.ROOM, 0)
        board.slots.room = 1 << 20
        board.slots.flips = True
        assert await life.receive(made(5, FILES)) == (5, update.ALTERED, 0)
        board.slots.flips = False
        board.slots.error = 28
        assert await life.receive(made(5, FILES)) == (5, update.FLASH, 0)
        board.slots.error = None
        assert not life.updater.restart.is_set()
        # None of it was started: the very same update is still good.
        await life.receive(made(5, FILES))
        assert life.updater.restart.is_set()
        life.end()

    run(story)


def test_an_older_version_is_refused():
    async def story(board):
        life = Session(board)
        await life.receive(made(5, FILES))
        life.end()
        life = Session(board)
        life.updater.service(True)
        for version in (4, 5):
            news = await life.take(made(version, FILES).message())
            assert news == (version, update.OLDER, 0)
        life.end()

    run(story)


def test_chunks_that_are_nobodys_change_nothing():
    async def story(board):
        life = Session(board)
        whole = made(5, FILES)
        first, second = whole.chunks()[:2]
        assert await life.take(first) is None
        await life.take(whole.message())
        asked = life.updater.news
        for chunk in (second, first[:-1], first + b"\x00", b"\x83"):
            assert await life.take(chunk) == asked
        news = await life.take(first)
        assert news == (5, update.RECEIVING, update.CHUNK_BYTES_MAX)
        assert await life.take(first) == news
        # The message again is no new beginning; a higher version is.
        assert await life.take(whole.message()) == news
        assert await life.take(made(6, FILES).message()) == (6, update.RECEIVING, 0)
        life.end()

    run(story)


def test_a_refused_update_does_not_stop_the_one_that_comes():
    async def story(board):
        life = Session(board)
        await life.take(made(5, FILES).message())
        news = await life.take(made(6, FILES, members=(0, 2)).message())
        assert news == (5, update.RECEIVING, 0)
        life.end()

    run(story)


def test_it_asks_again_and_gives_up():
    async def story(board):
        life = Session(board)
        await life.take(made(5, FILES).message())
        told = life.told
        life.updater.service(False)
        assert life.told == told
        await board.clock.advance(updating.ASK_EVERY_MS)
        life.updater.service(False)
        assert (life.told, life.updater.news) == (told + 1, (5, update.RECEIVING, 0))
        await board.clock.advance(updating.GIVE_UP_AFTER_MS)
        life.updater.service(False)
        assert life.updater.news == (5, update.LOST, 0)
        life.end()

    run(story)


def test_verification_gives_way():
    async def story(board):
        life = Session(board)
        before = board.clock._order
        await life.take(made(5, FILES).message())
        assert board.clock._order - before > 20
        life.end()

    run(story)


def test_a_stream_longer_or_shorter_than_its_files_is_refused():
    """A maker that signs other sizes than it sends: no bundle lets that pass, nor may a board."""
    for size, sent, code in ((5, 20, update.MALFORMED), (3000, 1024, update.ALTERED)):

        async def story(board, size=size, sent=sent, code=code):
            life = Session(board)
            stream = bundle.chunks(bytes(sent))
            await life.take(made(5, [(update.ALLIANCE, bytes(size))], "").message())
            life.updater._coming.expected = hashlib.sha256(stream[0]).digest()
            for chunk in stream:
                await life.take(chunk)
            assert life.updater.news == (5, code, 0), life.updater.news
            life.end()

        run(story)


def test_any_byte_of_a_message_changed_is_refused():
    async def story(board):
        life = Session(board)
        message = made(5, FILES).message()
        for at in range(0, len(message), 11):
            changed = bytearray(message)
            changed[at] ^= 1 << at % 8
            life.updater.news = None
            news = await life.take(bytes(changed))
            # A first byte of another kind is a chunk, or none of ours.
            assert news is None or news[1] in (update.MALFORMED, update.SIGNATURE), (at, news)
            assert news is not None or at == 0, at
        for length in range(1, len(message), 13):
            assert (await life.take(message[:length]))[1] in (update.MALFORMED, update.SIGNATURE)
        assert not life.task.done()
        assert not board.slots.content
        life.end()

    run(story)
