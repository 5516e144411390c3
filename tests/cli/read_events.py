#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Check the event files of a folder against its metrics.jsonl.

read_events.py DIR FILES: there are FILES event files, every checksum of every
record is right, and once steps are voided as TensorBoard does it the scalars
are those of metrics.jsonl. Written from the format's description alone; shares
no code with the program. Prints how many events there are, and how many
scalars were voided.
"""
import json, math, os, struct, sys

TABLE = []
for n in range(256):
    for _ in range(8):
        n = n >> 1 ^ (0x82F63B78 if n & 1 else 0)
    TABLE.append(n)


def crc32c(data):
    c = 0xFFFFFFFF
    for b in data:
        c = TABLE[(c ^ b) & 255] ^ c >> 8
    return c ^ 0xFFFFFFFF


def masked(data):
    c = crc32c(data)
    return ((c >> 15 | c << 17) + 0xA282EAD8) & 0xFFFFFFFF


def records(data):
    at = 0
    while at < len(data):
        head = data[at : at + 12]
        if len(head) < 12:
            return  # torn
        size, crc = struct.unpack("<QI", head)
        assert crc == masked(head[:8]), f"checksum of the length at byte {at}"
        body = data[at + 12 : at + 12 + size]
        tail = data[at + 12 + size : at + 16 + size]
        if len(tail) < 4:
            return
        assert struct.unpack("<I", tail)[0] == masked(body), f"checksum at byte {at}"
        yield body
        at += 16 + size


def varint(data, at):
    v = shift = 0
    while True:
        b = data[at]
        at += 1
        v |= (b & 127) << shift
        shift += 7
        if b < 128:
            return v, at


def fields(data):
    """Number and value of each field of a message, in the order they come."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        kind = key & 7
        if kind == 0:
            v, at = varint(data, at)
        elif kind == 1:
            v, at = struct.unpack_from("<d", data, at)[0], at + 8
        elif kind == 2:
            n, at = varint(data, at)
            v, at = data[at : at + n], at + n
        elif kind == 5:
            v, at = struct.unpack_from("<f", data, at)[0], at + 4
        else:
            raise AssertionError(f"wire type {kind}")
        yield key >> 3, v
    assert at == len(data)


WALL_TIME, STEP, FILE_VERSION, SUMMARY, SESSION_LOG = 1, 2, 3, 5, 7
scalars, events, void, starts, last_wall = {}, 0, 0, 0, 0
folder, files = sys.argv[1], int(sys.argv[2])
assert crc32c(b"123456789") == 0xE3069283
names = sorted(n for n in os.listdir(folder) if "tfevents" in n)
assert len(names) == files, names
for name in names:
    with open(os.path.join(folder, name), "rb") as f:
        data = f.read()
    for k, body in enumerate(records(data)):
        e = dict(fields(body))
        events += 1
        step = e.get(STEP, 0)
        assert 1.7e9 < e[WALL_TIME] and e[WALL_TIME] >= last_wall, "time runs backwards"
        last_wall = e[WALL_TIME]
        assert (FILE_VERSION in e) == (k == 0), "the version comes first"
        if k == 0:
            assert e[FILE_VERSION] == b"brain.Event:2"
        elif SESSION_LOG in e:
            assert dict(fields(e[SESSION_LOG])) == {1: 1}, "no START"
            starts += 1
            if starts == 1:
                continue  # the first is no restart
            late = [key for key in scalars if key[0] >= step]
            void += len(late)
            for key in late:
                del scalars[key]
        else:
            for number, value in fields(e[SUMMARY]):
                v = dict(fields(value))
                key = (step, v[1].decode("ascii"))
                assert number == 1 and key not in scalars, f"{key} again"
                scalars[key] = v[2]

with open(os.path.join(folder, "metrics.jsonl")) as f:
    for line in map(json.loads, f):
        step = line.pop("step")
        for tag, want in line.items():
            got = scalars.pop((step, tag))
            if want is None:
                assert not math.isfinite(got), (step, tag, got)
            else:  # nine digits there, a float here
                assert abs(got - want) <= 2e-7 * abs(want), (step, tag, got, want)
assert not scalars, f"not in metrics.jsonl: {sorted(scalars)[:5]}"
print(f"{files} files, {events} events, {void} voided")
