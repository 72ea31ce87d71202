"""Modbus RTU frames: vectors of real devices, and everything a frame can do wrong."""

from wattle_meter import modbus

# request and answer of an SDM120 (unit 1, voltage 230.2 V as binary32)
SDM120_REQUEST = bytes.fromhex("01040000000271cb")
SDM120_ANSWER = bytes.fromhex("010404436633341b38")
SDM120_WORDS = [0x4366, 0x3334]
# request and answer of a PZEM-004T at its general address F8, ten words
PZEM_REQUEST = bytes.fromhex("f8040000000a6464")
PZEM_ANSWER = bytes.fromhex("f8041408d3002300000005000000020000" + "01f500060000f8be")


def raised(kind, function, *arguments):
    try:
        function(*arguments)
    except kind as error:
        assert type(error) is kind, repr(error)
        return error
    raise AssertionError("no " + kind.__name__)


def with_crc(body):
    crc = modbus.crc16(body)
    return body + bytes((crc & 255, crc >> 8))


def test_crc_of_the_check_string():
    assert modbus.crc16(b"123456789") == 0x4B37  # the catalogue's check value of CRC-16/MODBUS
    assert modbus.crc16(b"") == 0xFFFF


def test_request_of_a_real_device():
    assert modbus.read_request(1, 4, 0, 2) == SDM120_REQUEST


def test_crc_of_a_real_device_at_a_reserved_unit():
    assert with_crc(PZEM_REQUEST[:-2]) == PZEM_REQUEST
    words = modbus.parse_read_response(PZEM_ANSWER, 0xF8, 4, 10)
    assert words == [2259, 35, 0, 5, 0, 2, 0, 501, 6, 0]


def test_answer_of_a_real_device():
    assert modbus.parse_read_response(SDM120_ANSWER, 1, 4, 2) == SDM120_WORDS


def test_request_at_the_limits():
    assert modbus.read_request(247, 3, 65535, 1)[:6] == bytes((247, 3, 255, 255, 0, 1))
    assert modbus.read_request(1, 4, 65536 - 125, 125)[4:6] == bytes((0, 125))


def test_request_beyond_the_limits_is_refused():
    for arguments in (
        (0, 4, 0, 2),
        (248, 4, 0, 2),
        (1, 1, 0, 2),
        (1, 6, 0, 2),
        (1, 4, 0, 0),
        (1, 4, 0, 126),
        (1, 4, -1, 2),
        (1, 4, 65535, 2),
    ):
        error = raised(modbus.RequestError, modbus.read_request, *arguments)
        assert "expected" in str(error)


def test_every_flipped_bit_is_a_crc_error():
    for at in range(8 * len(SDM120_ANSWER)):
        frame = bytearray(SDM120_ANSWER)
        frame[at // 8] ^= 1 << at % 8
        raised(modbus.CrcError, modbus.parse_read_response, bytes(frame), 1, 4, 2)


def test_truncated_and_prolonged_frames_are_frame_errors():
    for length in range(len(SDM120_ANSWER)):
        if length != modbus.EXCEPTION_BYTES:  # that length could be an exception: its CRC decides
            raised(modbus.FrameError, modbus.parse_read_response, SDM120_ANSWER[:length], 1, 4, 2)
    raised(modbus.FrameError, modbus.parse_read_response, SDM120_ANSWER + b"\0", 1, 4, 2)


def test_answer_to_another_question_is_a_frame_error():
    parse = modbus.parse_read_response
    raised(modbus.FrameError, parse, SDM120_ANSWER, 2, 4, 2)
    raised(modbus.FrameError, parse, SDM120_ANSWER, 1, 3, 2)
    raised(modbus.FrameError, parse, SDM120_ANSWER, 1, 4, 3)
    announced = with_crc(bytes((1, 4, 2, 0, 1, 0, 2)))  # two words, but says one
    raised(modbus.FrameError, parse, announced, 1, 4, 2)
    other_exception = with_crc(bytes((1, 0x83, 2)))
    raised(modbus.FrameError, parse, other_exception, 1, 4, 2)


def test_exception_carries_its_code():
    for code in (1, 2, 3, 4, 6, 11, 255):
        frame = with_crc(bytes((1, 0x84, code)))
        error = raised(modbus.ExceptionResponse, modbus.parse_read_response, frame, 1, 4, 2)
        assert error.code == code


def test_exception_is_not_mistaken_for_an_answer_of_its_length():
    # 5 bytes are also the length of an answer with no words
    frame = with_crc(bytes((1, 4, 0)))
    raised(modbus.FrameError, modbus.parse_read_response, frame, 1, 4, 2)


def test_answer_is_found_behind_noise_echo_and_foreign_answers():
    foreign = with_crc(bytes((2, 4, 4, 1, 2, 3, 4)))
    other_length = with_crc(bytes((1, 4, 2, 9, 9)))
    refusal_of_other_function = with_crc(bytes((1, 0x83, 2)))
    for front in (
        b"",
        b"\0",
        b"\x01\x04\x04",
        SDM120_REQUEST,
        foreign,
        other_length,
        refusal_of_other_function,
        SDM120_REQUEST + foreign + b"\xff\xff",
    ):
        found = modbus.find_read_response(front + SDM120_ANSWER + b"\x55", 1, 4, 2)
        assert found == SDM120_WORDS, front


def test_answer_is_found_only_when_whole():
    for length in range(len(SDM120_ANSWER)):
        assert modbus.find_read_response(SDM120_ANSWER[:length], 1, 4, 2) is None


def test_damaged_answer_is_told_from_none():
    frame = bytearray(SDM120_ANSWER)
    frame[4] ^= 1
    raised(modbus.CrcError, modbus.find_read_response, bytes(frame), 1, 4, 2)
    assert modbus.find_read_response(bytes(frame) + SDM120_ANSWER, 1, 4, 2) == SDM120_WORDS


def test_refusal_is_found_behind_noise():
    frame = b"\x01\x04" + with_crc(bytes((1, 0x84, 2)))
    error = raised(modbus.ExceptionResponse, modbus.find_read_response, frame, 1, 4, 2)
    assert error.code == 2


def test_requests_of_others_are_found_anywhere():
    own = modbus.read_request(1, 4, 0, 2)
    read = modbus.read_request(7, 3, 9, 1)
    write = with_crc(bytes((8, 6, 0, 1, 0, 1)))
    assert modbus.foreign_requests(b"\x00" + own + read + b"\x01\x04" + write, own) == [7, 8]
    assert modbus.foreign_requests(own) == [1]
    assert modbus.foreign_requests(own[:-1] + read[1:], own) == []
    assert modbus.foreign_requests(read[:7]) == []
    # functions of other lengths, and answers, are no requests of 8 bytes
    assert modbus.foreign_requests(with_crc(bytes((8, 7, 0, 1, 0, 1)))) == []
    assert modbus.foreign_requests(with_crc(bytes((8, 0x84, 0, 1, 0, 1)))) == []


def test_write_requests():
    # the examples of the Application Protocol, 6.6 and 6.12, for unit 1
    single = modbus.write_request(1, 6, 1, [3])
    assert single[:-2] == bytes.fromhex("010600010003")
    several = modbus.write_request(1, 16, 1, [10, 0x102])
    assert several[:-2] == bytes.fromhex("01100001000204000a0102")
    for frame in (single, several):
        crc = modbus.crc16(frame[:-2])
        assert frame[-2:] == bytes((crc & 255, crc >> 8))


def test_answers_to_writes():
    single = modbus.write_request(1, 6, 1, [3])
    several = modbus.write_request(1, 16, 1, [10, 0x102])
    done = with_crc(bytes.fromhex("011000010002"))
    assert modbus.find_write_response(b"\xff" + single, single, False)
    assert not modbus.find_write_response(single, single, True)
    assert modbus.find_write_response(single + single, single, True)
    assert not modbus.find_write_response(modbus.write_request(1, 6, 1, [4]), single, False)
    for at in range(len(done)):
        assert not modbus.find_write_response(several + done[:at], several, True)
        damaged = done[:at] + bytes((done[at] ^ 1,)) + done[at + 1 :]
        assert not modbus.find_write_response(damaged, several, False)
    assert modbus.find_write_response(several + done + b"\x00", several, False)


def test_refused_writes():
    for function in (6, 16):
        request = modbus.write_request(1, function, 1, [3])
        refusal = with_crc(bytes((1, function | 0x80, 4)))
        for received in (refusal, request + refusal, b"\x01" + refusal[:3] + refusal):
            error = raised(
                modbus.ExceptionResponse, modbus.find_write_response, received, request, False
            )
            assert error.code == 4
        assert not modbus.find_write_response(refusal[:-1], request, False)
        other = with_crc(bytes((2, function | 0x80, 4)))
        assert not modbus.find_write_response(other, request, False)
