#!/usr/bin/python3
"""Writes the words that are no passwords, as the first eight bytes of their SHA-256, in order: blocklist.py OUT.
Debian's own Python, because its package python3-zxcvbn has the lists: passwords that leaked most, words, names."""
import hashlib
import sys

from zxcvbn.frequency_lists import FREQUENCY_LISTS

words = {word.lower() for name in FREQUENCY_LISTS for word in FREQUENCY_LISTS[name]}
if len(words) < 50000:
    sys.exit(f"blocklist.py: only {len(words)} words: the package's lists have changed")
hashes = sorted(int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "big") for word in words)
with open(sys.argv[1], "w", encoding="ascii") as c:
    c.write(f"/* Made by blocklist.py. */\n#include <stddef.h>\n#include <stdint.h>\nextern const size_t sk_blocklist_count;\n"
            f"extern const uint64_t sk_blocklist[];\nconst size_t sk_blocklist_count = {len(hashes)};\nconst uint64_t sk_blocklist[] = {{\n")
    for at in range(0, len(hashes), 6):
        c.write("    " + ", ".join(f"0x{number:016x}u" for number in hashes[at:at + 6]) + ",\n")
    c.write("};\n")
