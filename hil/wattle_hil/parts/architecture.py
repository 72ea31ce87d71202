"""The processor families on which the bench runs, in Debian's words."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Architecture:
    """One Debian architecture.

    name: as in package names. bits: its word size. triplet: its library folder below /usr/lib.
    loader: the program loader of its libc, in that folder.
    """

    name: str
    bits: int
    triplet: str
    loader: str


_AMD64 = Architecture("amd64", 64, "x86_64-linux-gnu", "ld-linux-x86-64.so.2")
_I386 = Architecture("i386", 32, "i386-linux-gnu", "ld-linux.so.2")
_ARM64 = Architecture("arm64", 64, "aarch64-linux-gnu", "ld-linux-aarch64.so.1")
_ARMHF = Architecture("armhf", 32, "arm-linux-gnueabihf", "ld-linux-armhf.so.3")

# What the kernel calls its machine -> the two architectures whose programs it runs. Decided by the
# kernel, not by the host's packages: the interpreters bring their own libc.
FAMILIES = {"x86_64": (_AMD64, _I386), "aarch64": (_ARM64, _ARMHF)}
