"""Names of hosts: what is asked, what is believed, and what becomes of nonsense."""

from wattle_meter import names
from wattle_meter.board import Random
from wattle_meter.names import Names
from wattle_testkit.meter_fakes import run

NONCE = b"\xab\xcd"
HEAD = b"\x81\x80\x00\x01"
A = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04"
CNAME = b"\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x3c\x00\x06\x03www\xc0\x0c"


class Fixed(Random):
    def bytes(self, count):
        return NONCE[:count]


class Servers:
    """Name servers by address: an answer, or an OSError, for each question in turn."""

    def __init__(self, answers):
        self.answers = answers
        self.asked = []

    def list(self):
        return sorted(self.answers)

    async def ask(self, address, port, question, timeout_ms):
        assert timeout_ms == names.ANSWER_MS
        self.asked.append((address, port, question))
        answer = self.answers[address if port == 53 else "%s:%d" % (address, port)].pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer


def look(host, answers):
    servers = Servers(answers)
    found = Names(servers.list, servers.ask, Fixed())
    return found, servers, run(found.address_of(host))


def answer(records, count, host="gw.example", nonce=NONCE, head=HEAD):
    asked = names.question(host, nonce)
    return nonce + head + bytes((0, count, 0, 0, 0, 0)) + asked[12:] + records


def test_a_question_is_as_in_rfc_1035():
    assert names.question("gw.example", NONCE) == (
        b"\xab\xcd\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x02gw\x07example\x00\x00\x01\x00\x01"
    )
    for wrong in ("a..b", "." + "a", "x" * 64 + ".b"):
        try:
            names.question(wrong, NONCE)
        except OSError:
            continue
        raise AssertionError(wrong)


def test_the_first_address_of_an_answer_counts():
    asked = names.question("gw.example", NONCE)
    one = answer(A + b"\x0a\x00\x00\x07", 1)
    assert names.address_in(one, asked) == "10.0.0.7"
    two = answer(A + b"\x0a\x00\x00\x07" + A + b"\x0a\x00\x00\x08", 2)
    assert names.address_in(two, asked) == "10.0.0.7"
    alias = answer(CNAME + A + b"\xc0\xa8\x01\xff", 2)
    assert names.address_in(alias, asked) == "192.168.1.255"
    whole_name = answer(b"\x02gw\x07example\x00" + A[2:] + b"\x01\x02\x03\x04", 1)
    assert names.address_in(whole_name, asked) == "1.2.3.4"
    assert names.address_in(one.replace(b"example", b"EXAMPLE"), asked) == "10.0.0.7"


def test_what_answers_another_question_or_nothing_is_not_believed():
    asked = names.question("gw.example", NONCE)
    good = A + b"\x0a\x00\x00\x07"
    for wrong in (
        answer(good, 1, nonce=b"\xab\xce"),
        answer(good, 1, host="gw.exampla"),
        answer(good, 1, head=b"\x01\x80\x00\x01"),  # a question
        answer(good, 1, head=b"\x81\x83\x00\x01"),  # no such name
        answer(good, 1, head=b"\x81\x80\x00\x02"),
        answer(good, 0),
        answer(b"", 1),
        answer(CNAME, 1),
        answer(A[:-1] + b"\x10" + bytes(16), 1),  # an address of 16 bytes
        answer(b"\xc0\x0c\x00\x1c\x00\x01\x00\x00\x00\x3c\x00\x04" + bytes(4), 1),  # AAAA
    ):
        assert names.address_in(wrong, asked) is None
    whole = answer(CNAME + good, 2)
    for size in range(len(whole)):
        assert names.address_in(whole[:size], asked) is None
    for at in range(12 + len(asked) - 12, len(whole)):
        for byte in (0, 0x3F, 0xC0, 0xFF):
            names.address_in(whole[:at] + bytes((byte,)) + whole[at + 1 :], asked)


def test_the_next_server_is_asked_when_one_is_silent_or_does_not_know():
    good = answer(A + b"\x0a\x00\x00\x07", 1)
    _, servers, found = look("gw.example", {"1.1.1.1": [OSError("silent")], "2.2.2.2:5300": [good]})
    assert found == "10.0.0.7"
    assert [(row[0], row[1]) for row in servers.asked] == [("1.1.1.1", 53), ("2.2.2.2", 5300)]
    _, _, found = look("gw.example", {"1.1.1.1": [answer(b"", 0)], "2.2.2.2": [good]})
    assert found == "10.0.0.7"


def test_what_was_known_before_helps_while_nobody_answers():
    good = answer(A + b"\x0a\x00\x00\x07", 1)
    found, _, _ = look("gw.example", {"1.1.1.1": [good, OSError("silent"), answer(b"", 0)]})
    assert run(found.address_of("gw.example")) == "10.0.0.7"
    assert run(found.address_of("gw.example")) == "10.0.0.7"
    try:
        look("gw.example", {"1.1.1.1": [OSError("silent")]})
    except OSError as error:
        assert "gw.example" in str(error)
        return
    raise AssertionError("an address out of nothing")


def test_addresses_and_names_of_the_neighbourhood_are_not_asked_for():
    for host in ("10.0.0.7", "localhost", "gateway", "gateway.local"):
        _, servers, found = look(host, {"1.1.1.1": []})
        assert found == host
        assert servers.asked == []
    _, _, found = look("gw.example", {})
    assert found == "gw.example"
