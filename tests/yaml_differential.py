#!/usr/bin/env python3
"""Compares our reading of YAML with that of PyYAML (1.1) and ruamel.yaml (1.2).

    python3 tests/yaml_differential.py PROGRAM [RUNS]

PROGRAM is the built example `yaml_to_json`. The documents are the seeds in tests/corpus/yaml, every
short sequence of a small vocabulary of structure, every scalar in every shape, and RUNS (3,000)
rounds of random sequences of a larger vocabulary. What we accept, both others have to accept and to read as the same values of the same types;
what we refuse is our own affair. Fixed seed: every run is the same. Prints SKIPPED and succeeds
where a library is missing.
"""

import itertools
import json
import pathlib
import random
import subprocess
import sys

try:
    import yaml
    from ruamel.yaml import YAML
except ImportError as missing:
    print(f"SKIPPED: the YAML comparison needs python3-yaml and python3-ruamel.yaml ({missing})")
    sys.exit(0)

# Complete pieces: most sequences of these make lines, and many make documents.
SHORT = ["a", "b: ", "\n", "  ", "- ", "c:", "'d'", '"e"', " #f", "[g, 1]", "---"]

LONG = SHORT + [
    "a: ", "b:\n", "  c: ", "  - ", "- d\n", "\n\n", "# note\n", " ", ":", ": ", "#", ",", "[", "]", "[]",
    "{", "}", "&x ", "*x", "!t ", "!!str ", "|\n", ">-\n", "%YAML 1.2\n", "@", "`", "? ", "?", "<<: ",
    "<<", "=", "\t", "\r\n", "\r", "...", "--- ", "---\n", "\ufeff", "\x85", "\u2028", "\xa0", "é", "😀",
    "\x07", "\ufffe", "''", '""', "it''s", "'", '"', "\\", "\\n", "\\x41", "\\u00e9", "\\U0001F600",
    "\\ud83d\\ude00", "\\/", "\\e", "\\0", "\\_", "\\L", "\\ ", "\\q", "null", "Null", "~", "true", "True",
    "TRUE", "tRUE", "false", "yes", "No", "on", "OFF", "y", "N", "0", "-0", "+0", "1", "-1", "+12", "007",
    "010", "0o17", "0x1F", "-0x1F", "0b1", "1_000", "1:30", "12:30:45", "1.5", "-0.5", "+1.5", ".5", "-.5",
    "1.", "1e3", "1.5e3", "1.5e+3", "1.5E-3", "1e+3", ".inf", "-.INF", ".nan", "1.0e+999", "01.5", "0.1",
    "9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809",
    "18446744073709551615", "18446744073709551616", "2001-12-14", "2001-1-1 1:2:3", "2001-12-14t21:59:43Z",
    "10m", "1h30m", "256m", "1.2.3", "10.0.0.1", "/run/x.sock", "unix:///a", "http://a:80/", "-", "-a",
    "--", "a-b", "a:b", "a#b", "a b", "%a", "a%", "a,b", "a]", "a?b", "a!b", "x: y: z", "e", "E5", "+", ".",
    "..", "nan", "inf", "_1", "1_", "1_0.5", "0_1", "1:99", "-1:30", "1__0", "1,000", "1 2",
]

SCALARS = [word for word in LONG if word.strip() and "\n" not in word]
SPACES = ["", " ", "  ", " \n", "\n", "\r\n", "\t", " # c", "#c", " #c\n"]


def documents(runs):
    corpus = pathlib.Path(__file__).resolve().parent / "corpus" / "yaml"
    for seed in sorted(corpus.iterdir()):
        yield seed.read_bytes().decode("utf-8", "replace")
    for length in range(1, 5):
        for words in itertools.product(SHORT, repeat=length):
            yield "".join(words)
    for word, space in itertools.product(SCALARS, SPACES):
        for shape in ("a: {}{}", "{}{}: 1", "a: [{}{}]", "a: [1,{}{}, x]", "a:\n- {}{}", "a:\n  b: {}{}\n  c: 1"):
            yield shape.format(word, space)
    generator = random.Random(20)
    for _ in range(runs):
        one, two = generator.choice(SCALARS), generator.choice(SCALARS)
        yield f"a: {one}{two}"
        yield f"a: {one} {two}"
        yield f"a: [{one},{two}]"
        yield f"a: '{one}{two}'\nb: \"{one}{two}\""
        yield "".join(generator.choice(LONG) for _ in range(generator.randint(1, 14)))
        lines = []
        for _ in range(generator.randint(1, 6)):
            shape = generator.choice(["a: {}", "b:", "{}: {}", "- {}", "c: [{}, {}]", "d: {} # {}", "{}", "# {}"])
            words = [generator.choice(SCALARS) for _ in range(2)]
            lines.append("  " * generator.randint(0, 2) + shape.format(*words))
        yield "\n".join(lines)


def ours(program, texts):
    lines = "".join(json.dumps(text) + "\n" for text in texts)
    run = subprocess.run([program], input=lines.encode(), capture_output=True, check=True)
    answers = [json.loads(line) for line in run.stdout.decode().split("\n") if line]
    if len(answers) != len(texts):
        raise SystemExit(f"{len(answers)} answers to {len(texts)} documents")
    return answers


def other(load, text):
    try:
        return load(text.encode())
    except Exception as error:  # The libraries raise more than their own errors.
        return f"{type(error).__name__}: {error}", None, "refused"


def same(ours, theirs):
    """Equal with equal types all the way down, which Python's == does not ask for."""
    if type(ours) is not type(theirs):
        return False
    if isinstance(ours, dict):
        return list(ours) == list(theirs) and all(same(ours[key], theirs[key]) for key in ours)
    if isinstance(ours, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    return ours == theirs and str(ours) == str(theirs)


def ruamel_load(text):
    reader = YAML(typ="safe", pure=True)
    reader.version = (1, 2)
    return reader.load(text)


def main():
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 3_000
    texts = list(dict.fromkeys(documents(runs)))
    readers = {"PyYAML": yaml.safe_load, "ruamel.yaml": ruamel_load}
    accepted = differences = 0
    for text, answer in zip(texts, ours(sys.argv[1], texts)):
        if "error" in answer:
            continue
        accepted += 1
        for name, load in readers.items():
            theirs = other(load, text)
            if not same(answer["value"], theirs):
                differences += 1
                if differences <= 40:
                    print(f"{text!r}: we read {answer['value']!r}, {name} {theirs!r}")
    print(f"{len(texts)} documents, {accepted} accepted, {differences} read differently")
    sys.exit(0 if differences == 0 and 1000 < accepted else 1)


main()
