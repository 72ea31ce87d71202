"""What an update has brought is tried, confirmed or given up, and survives a cut at every write."""

import boot_choice
from wattle_meter import updating
from wattle_meter.version import Versions
from wattle_testkit.meter_fakes import PowerCut
from wattle_testkit.update_fakes import Session, UpdateBoard, made, run
from wattle_wire import update

FIRMWARE = bytes(range(256)) * 9 + b"end"
ALLIANCE = b'{"gateways": []}'
FILES = [(update.FIRMWARE, FIRMWARE), (update.ALLIANCE, ALLIANCE), ("authority0.der", b"DER")]


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


def test_a_slot_that_cannot_be_read_any_more_is_no_version():
    async def story(board):
        life = Session(board)
        await life.receive(made(5, FILES))
        life.end()
        Session(board).updater.service(True)
        key = boot_choice.RECORD_KEY
        board.store.safe[key] = boot_choice.slot_lost(board.store.safe[key])
        life = Session(board)
        versions = life.updater._versions
        assert (life.slot, versions.running, versions.settings) == (0, 0, 1)
        assert (versions.tried, life.updater.news) == (5, None)

    run(story)
