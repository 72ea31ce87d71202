"""Attributes of MicroPython's own objects: what the linker must leave as it is.

Our code never says which object a name is looked up in, so a name that both ours and MicroPython's
objects have keeps its length; one that is missing here would break the linked program. The tests
compare INTERPRETER with the real one, and CHIP with the stubs of the ESP32.
"""

# Of instances of builtin types and of classes of the modules of the unix port, by dir().
_INTERPRETER = """
    _dequeue _enqueue _exc_handler accept aclose acquire add addr any append appendleft args
    awrite awritestr bind call_exception_handler cancel center chdir clear close connect copy
    coro count create_task data decode decrypt default_exception_handler deleter difference
    difference_update digest discard done drain e encode encrypt endswith errno extend fileno
    find flush format from_bytes fromhex fromkeys func get get_ciphers get_exception_handler
    get_extra_info getcwd getter getvalue hex ilistdir index insert intersection
    intersection_update ioctl ipoll is_set isalpha isdigit isdisjoint islower isspace issubset
    issuperset isupper items join keys listen load_cert_chain load_verify_locations locked lower
    lstrip makefile mkdir mkfs modify mount off on open out_buf partition peek pend_throw ph_key
    poll pop popitem popleft push queue_read queue_write read readexactly readinto readline
    readlines recv recvfrom register release remove rename replace reverse rfind rindex rmdir
    rpartition rsplit rstrip run_forever run_until_complete s seek send sendto set set_ciphers
    set_exception_handler setblocking setdefault setsockopt setter settimeout sort split
    splitlines start startswith stat state statvfs step stop strip symmetric_difference
    symmetric_difference_update tell throw to_bytes umount union unregister update upper value
    values var verify_callback verify_mode wait wait_closed wait_io_event waiting wrap_socket
    write
"""

# Of the classes of machine, network, esp32 and vfs (docs.micropython.org).
_CHIP = """
    active alarm antenna any atten auth bitstream_channel bitstream_rmt block channel chdir
    clock_div commit config connect csi_available csi_disable csi_dropped csi_enable csi_read
    datetime deinit disconnect drive duty duty_ns duty_u16 erase_key feed find flush freq
    get_blob get_i32 get_next_update getcwd ifconfig ilistdir info init ioctl ipconfig irq
    isconnected load_binary loop loop_count mac mark_app_valid_cancel_rollback memory mkdir mkfs
    mode mount off on open phases poll pull read read_u16 read_uv readblocks readfrom
    readfrom_into readfrom_mem readfrom_mem_into readinto readline remove rename rmdir run scan
    sendbreak set_blob set_boot set_i32 set_wakeup_period shift source_freq ssid start stat
    status statvfs stop toggle txdone umount value wait_done width write write_pulses
    write_readinto writeblocks writeto writeto_mem writevto
"""

# What MicroPython calls in objects that are given to it: streams, block devices.
_CALLED = "close ioctl readblocks readinto write writeblocks"

INTERPRETER = frozenset(_INTERPRETER.split())
CHIP = frozenset(_CHIP.split())
ATTRIBUTES = INTERPRETER | CHIP | frozenset(_CALLED.split())
