#!/usr/bin/env python3
"""Checks a SponsorHub receipt offline, with nothing but Python's standard library.

    verify_receipt.py --vkey VKEY --entry FILE --receipt FILE

Exit code 0: the entry with exactly these bytes is in the log whose key is VKEY. Exit code 1: it is
not shown. It shares no code with SponsorHub. The formats are public: C2SP tlog-proof,
tlog-checkpoint and signed-note, Merkle trees after RFC 6962, signatures after RFC 8032.

Take the verifier key from somewhere you trust, never from the receipt's sender.
"""

import argparse
import base64
import hashlib
import re
import sys


class Refused(Exception):
    """Why the receipt shows nothing."""


def need(holds, why):
    if not holds:
        raise Refused(why)


# Ed25519 verification, RFC 8032 section 5.1.7. Points are (x, y, z, t) with x = X/Z, y = Y/Z,
# x * y = T/Z (section 5.1.4).

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT_OF_MINUS_1 = pow(2, (P - 1) // 4, P)


def add(p, q):
    a = (p[1] - p[0]) * (q[1] - q[0]) % P
    b = (p[1] + p[0]) * (q[1] + q[0]) % P
    c = 2 * p[3] * q[3] * D % P
    d = 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def times(scalar, point):
    total = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            total = add(total, point)
        point = add(point, point)
        scalar >>= 1
    return total


def point_of(encoded):
    y = int.from_bytes(encoded, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    need(y < P, "a point of the signature is not in its one spelling")
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT_OF_MINUS_1 % P
    need((x * x - square) % P == 0, "a point of the signature is not on the curve")
    need(x or not sign, "a point of the signature is not in its one spelling")
    if x & 1 != sign:
        x = P - x
    return (x, y, 1, x * y % P)


BASE_Y = 4 * pow(5, P - 2, P) % P
BASE = point_of(BASE_Y.to_bytes(32, "little"))


def is_signed(public, message, signature):
    if len(signature) != 64:
        return False
    key, r = point_of(public), point_of(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if s >= ORDER:
        return False
    digest = hashlib.sha512(signature[:32] + public + message).digest()
    k = int.from_bytes(digest, "little") % ORDER
    left, right = times(s, BASE), add(r, times(k, key))
    same_x = (left[0] * right[2] - right[0] * left[2]) % P == 0
    same_y = (left[1] * right[2] - right[1] * left[2]) % P == 0
    return same_x and same_y


# The texts.


def decode(text, what):
    try:
        decoded = base64.b64decode(text.encode("ascii"), validate=True)
    except ValueError:
        raise Refused(f"{what} is not base64") from None
    need(base64.b64encode(decoded).decode() == text, f"{what} is not in its one spelling")
    return decoded


def number(text, what):
    need(re.fullmatch(r"0|[1-9][0-9]{0,18}", text), f"{what} is not a number")
    return int(text)


def parse_vkey(vkey):
    parts = vkey.split("+", 2)
    need(len(parts) == 3 and parts[0], "the verifier key is not name+id+key")
    name, key_id, encoded = parts
    key = decode(encoded, "the verifier key")
    need(len(key) == 33 and key[0] == 1, "the verifier key is not for Ed25519")
    expected = hashlib.sha256(name.encode() + b"\n" + key).hexdigest()[:8]
    need(key_id == expected, "the id of the verifier key is another key's")
    return name, bytes.fromhex(key_id), key[1:]


def parse_receipt(text):
    head, blank, checkpoint = text.partition("\n\n")
    need(blank, "the receipt has no checkpoint")
    lines = head.split("\n")
    need(lines.pop(0) == "c2sp.org/tlog-proof@v1", "not a receipt")
    if lines and lines[0].startswith("extra "):
        lines.pop(0)  # Nothing vouches for it.
    need(lines and lines[0].startswith("index "), "the receipt has no index")
    index = number(lines.pop(0)[len("index "):], "the index")
    hashes = [decode(line, "a hash of the proof") for line in lines]
    need(all(len(node) == 32 for node in hashes), "a hash of the proof has not 32 bytes")
    return index, hashes, checkpoint


def verify_checkpoint(note, vkey):
    """Size and root that the log signed."""
    name, key_id, public = parse_vkey(vkey)
    text, blank, signatures = note.rpartition("\n\n")
    need(blank and signatures.endswith("\n"), "the checkpoint is not a signed note")
    text += "\n"
    signed = False
    for line in signatures[:-1].split("\n"):
        parts = line.split(" ")
        need(len(parts) == 3 and parts[0] == "\u2014", "not a line of a signature")
        signature = decode(parts[2], "a signature")
        if parts[1] == name and signature[:4] == key_id:
            need(is_signed(public, text.encode(), signature[4:]), "the signature is false")
            signed = True
    need(signed, "the checkpoint is not signed by this key")
    lines = text.split("\n")
    need(len(lines) >= 4 and lines[0] == name, "the checkpoint of another log")
    root = decode(lines[2], "the root")
    need(len(root) == 32, "the root has not 32 bytes")
    return number(lines[1], "the size"), root


def verify_inclusion(leaf, index, size, hashes, root):
    """RFC 6962 section 2.1.1, checked as RFC 9162 section 2.1.3.2 says."""
    need(index < size, "the log has no such entry yet")
    node, last, computed = index, size - 1, leaf
    for sibling in hashes:
        need(last, "the proof is too long")
        if node & 1 or node == last:
            computed = hashlib.sha256(b"\x01" + sibling + computed).digest()
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            computed = hashlib.sha256(b"\x01" + computed + sibling).digest()
        node, last = node >> 1, last >> 1
    need(last == 0, "the proof is too short")
    need(computed == root, "the proof does not lead to the signed root")


def main():
    arguments = argparse.ArgumentParser(description="Checks a SponsorHub receipt offline.")
    arguments.add_argument("--vkey", required=True, help="the verifier key of the log")
    arguments.add_argument("--entry", required=True, help="file with the bytes of the entry")
    arguments.add_argument("--receipt", required=True, help="file with the receipt")
    asked = arguments.parse_args()
    try:
        with open(asked.entry, "rb") as file:
            leaf = hashlib.sha256(b"\x00" + file.read()).digest()
        with open(asked.receipt, encoding="utf-8", newline="") as file:
            index, hashes, checkpoint = parse_receipt(file.read())
        size, root = verify_checkpoint(checkpoint, asked.vkey)
        verify_inclusion(leaf, index, size, hashes, root)
    except (Refused, OSError, UnicodeError) as why:
        print(f"NOT SHOWN: {why}", file=sys.stderr)
        return 1
    print(f"entry {index + 1} of {size} is in the log")
    return 0


if __name__ == "__main__":
    sys.exit(main())
