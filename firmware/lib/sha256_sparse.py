#!/usr/bin/env python3
"""Prints SHA-256 sums in sha256sum's format for files named on stdin, NUL-separated.

Holes are hashed from one block of zeros instead of being read: an 8 GB image with 20 MB of
content takes seconds. (hashlib uses the processor's SHA instructions, coreutils does not.)
"""

import errno
import hashlib
import os
import sys

BLOCK = 4 << 20
ZEROS = bytes(BLOCK)


def data_extents(fd, size):
    """The (start, end) ranges of a file that are not holes, in order."""
    at = 0
    while at < size:
        try:
            start = os.lseek(fd, at, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return
            raise
        end = os.lseek(fd, start, os.SEEK_HOLE)
        yield start, end
        at = end


def hash_zeros(digest, length):
    while length > 0:
        digest.update(ZEROS if length >= BLOCK else ZEROS[:length])
        length -= BLOCK


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        done = 0
        for start, end in data_extents(file.fileno(), size):
            hash_zeros(digest, start - done)
            file.seek(start)
            done = start
            while done < end:
                block = file.read(min(BLOCK, end - done))
                if not block:
                    raise EOFError(f"{path} shrank while it was read")
                digest.update(block)
                done += len(block)
        hash_zeros(digest, size - done)
    return digest.hexdigest()


for name in sys.stdin.buffer.read().split(b"\0"):
    if name:
        print(f"{sha256(name)}  {os.fsdecode(name)}")
