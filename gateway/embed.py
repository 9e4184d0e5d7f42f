#!/usr/bin/env python3
"""Writes files as NUL-terminated C byte arrays: embed.py OUT NAME FILE [NAME FILE ...]"""
import sys

out, pairs = sys.argv[1], sys.argv[2:]
with open(out, "w", encoding="ascii") as c:
    c.write("/* Made by embed.py. */\n")
    for name, path in zip(pairs[::2], pairs[1::2]):
        data = open(path, "rb").read() + b"\0"
        c.write(f"extern const char {name}[];\nconst char {name}[] = {{\n")
        for i in range(0, len(data), 20):
            c.write("    " + ", ".join(f"'\\x{b:02x}'" for b in data[i:i + 20]) + ",\n")
        c.write("};\n")
