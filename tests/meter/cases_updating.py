"""Updates on a board in memory: taken, refused, tried, rolled back, cut at every write."""

import asyncio
import hashlib

import boot_choice
from wattle_meter import updating
from wattle_meter.version import Versions
from wattle_testkit.meter_fakes import PowerCut
from wattle_testkit.update_fakes import UpdateBoard, made
from wattle_wire import bundle, update

FIRMWARE = bytes(range(256)) * 9 + b"end"
ALLIANCE = b'{"gateways": []}'
FILES = [(update.FIRMWARE, FIRMWARE), (update.ALLIANCE, ALLIANCE), ("authority0.der", b"DER")]


class Session:
    """One life of the board: its updater and the task of it; `told` counts calls of tell."""

    def __init__(self, board):
        self.board = board
        self.slot = board.start()
        self.updater = board.updater()
        self.updater.tell = self._tell
        self.task = asyncio.create_task(self.updater.run())
        self.told = 0

    def _tell(self):
        self.told += 1

    async def work(self):
        """Lets the task run until it waits for a message."""
        for _ in range(2000):
            await self.board.clock.advance(0)
            if self.task.done() or not self.updater._message:
                break
        if self.task.done():
            await self.task

    async def take(self, message):
        self.updater.take(message)
        await self.work()
        return self.updater.news

    async def receive(self, whole):
        """Plays the gateway: each chunk that is asked for, until the board asks no more."""
        news = await self.take(whole.message())
        chunks = whole.chunks()
        for _ in range(2 * len(chunks)):
            if self.updater.restart.is_set() or news[1] != update.RECEIVING:
                break
            news = await self.take(chunks[news[2] // update.CHUNK_BYTES_MAX])
        return news

    def end(self):
        self.task.cancel()


def run(make):
    """Runs `make(board)` to its end in an event loop of its own."""
    return asyncio.run(make(UpdateBoard()))


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


def test_a_version_that_never_gets_a_sample_through_gives_way():
    async def story(board):
        life = Session(board)
        await life.receive(made(5, FILES))
        life.end()
        life = Session(board)
        assert life.slot == 1
        await board.clock.advance(updating.TRIAL_MS - 1)
        life.updater.service(False)
        assert not life.updater.restart.is_set()
        await board.clock.advance(1)
        life.updater.service(False)
        assert life.updater.restart.is_set()
        life.end()
        life = Session(board)
        assert (life.slot, life.updater.news) == (0, (5, update.ROLLED_BACK, 0))
        assert (life.updater._versions.running, life.updater._versions.settings) == (0, 0)
        # What was tried is not tried again; a higher version is.
        assert (await life.take(made(5, FILES).message()))[1] == update.OLDER
        await life.receive(made(6, FILES))
        assert life.updater.restart.is_set()
        life.end()
        assert Session(board).slot == 1

    run(story)


def test_a_version_that_does_not_start_has_three_starts():
    async def story(board):
        life = Session(board)
        await life.receive(made(5, FILES))
        life.end()
        assert [board.start() for _ in range(6)] == [1, 1, 1, 0, 0, 0]
        assert Versions(board.store).news() == (5, update.ROLLED_BACK, 0)

    run(story)


def test_a_proof_at_the_last_start_is_enough():
    async def story(board):
        life = Session(board)
        await life.receive(made(5, FILES))
        life.end()
        board.start()
        board.start()
        life = Session(board)
        assert life.slot == 1
        life.updater.service(True)
        assert [board.start() for _ in range(5)] == [1] * 5
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


def test_what_is_about_to_start_is_left_alone():
    async def story(board):
        life = Session(board)
        news = await life.receive(made(5, FILES))
        before = dict(board.slots.content)
        assert await life.receive(made(6, FILES)) == news
        await board.clock.advance(updating.ASK_EVERY_MS)
        told = life.told
        life.updater.service(False)
        assert life.told == told
        assert board.slots.content == before
        life.end()

    run(story)


def test_no_update_is_taken_while_one_is_on_trial():
    async def story(board):
        life = Session(board)
        await life.receive(made(5, FILES))
        life.end()
        life = Session(board)
        before = dict(board.slots.content)
        assert await life.receive(made(6, FILES)) == (5, update.TRIAL, 0)
        assert board.slots.content == before
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


async def _cut_after(writes, whole):
    """The board after an update whose write number `writes` failed; None if it came to its end."""
    board = UpdateBoard()
    life = Session(board)
    board.slots.budget = writes
    try:
        await life.receive(whole)
        cut = False
    except PowerCut:
        cut = True
    life.end()
    board.store.cut()
    board.slots.budget = None
    return board, cut


def test_every_prefix_of_writes_boots_the_old_or_the_new():
    """Power fails at each write in turn: what starts is whole, and goes on taking updates."""

    async def story(_):
        whole = made(5, FILES)
        writes = 0
        while True:
            board, cut = await _cut_after(writes, whole)
            life = Session(board)
            if not cut:
                assert life.slot == 1
                assert board.slots.content[1, update.FIRMWARE] == FIRMWARE
                life.end()
                break
            assert (life.slot, life.updater.news) == (0, None)
            await life.receive(whole)
            life.end()
            assert Session(board).slot == 1
            assert board.slots.content[1, update.FIRMWARE] == FIRMWARE
            writes += 1
        assert writes == 2 * len(FILES) + 5 + 1  # begin and end of each, its pieces, the record

    run(story)


def test_a_cut_while_it_is_confirmed_or_given_up_is_a_start_more():
    for proof in (True, False):

        async def story(board, proof=proof):
            life = Session(board)
            await life.receive(made(5, FILES))
            life.end()
            life = Session(board)
            await board.clock.advance(updating.TRIAL_MS)
            board.slots.budget = 0
            try:
                life.updater.service(proof)
                raise AssertionError("the power did not fail")
            except PowerCut:
                pass
            life.end()
            board.store.cut()
            board.slots.budget = None
            life = Session(board)
            assert (life.slot, life.updater._versions.on_trial) == (1, True)
            life.updater.service(True)
            assert life.updater.news == (5, update.CONFIRMED, 0)
            life.end()

        run(story)


def test_the_choice_knows_the_record():
    """boot_choice and Versions describe the same bytes."""
    board = UpdateBoard()
    versions = Versions(board.store)
    versions.try_next(9, True, False)
    record = board.store.safe[boot_choice.RECORD_KEY]
    assert (record[boot_choice.TRIES], record[boot_choice.TRIAL_SLOT]) == (0, 1)
    assert boot_choice.is_on_trial(record)
    assert not boot_choice.is_on_trial(b"")
    Versions(board.store).give_up()
    record = board.store.safe[boot_choice.RECORD_KEY]
    assert (record[boot_choice.TRIES], record[boot_choice.SLOT]) == (boot_choice.GIVEN_UP, 0)
    board.store.safe.clear()
    versions = Versions(board.store)
    versions.try_next(9, True, True)
    Versions(board.store).confirm()
    record = board.store.safe[boot_choice.RECORD_KEY]
    assert (record[boot_choice.TRIES], record[boot_choice.SLOT]) == (boot_choice.STANDS, 1)


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


def test_a_technician_brings_back_what_was_installed():
    async def story(board):
        life = Session(board)
        await life.receive(made(5, FILES))
        life.end()
        life = Session(board)
        life.updater.service(True)
        life.end()
        key = boot_choice.RECORD_KEY
        board.store.safe[key] = boot_choice.as_installed(board.store.safe[key])
        life = Session(board)
        versions = life.updater._versions
        assert (life.slot, versions.running, versions.settings) == (0, 0, 0)
        assert life.updater.news is None
        assert (await life.take(made(5, FILES).message()))[1] == update.OLDER
        await life.receive(made(6, FILES))
        life.end()
        assert Session(board).slot == 1

    run(story)
    assert boot_choice.as_installed(b"") == b""


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
