"""Rows for the tables that PostgreSQL's regression scripts load from files.

    data.py FOLDER

The scripts come without these files, so the rows here are of our own making: of the same columns, of the same order of
size, and with the values in them that the scripts ask for. Their results are therefore not the published ones; what is
compared is two machines. The same call writes the same bytes.
"""

import json
import random
import sys
from pathlib import Path

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def letters(number, width):
    """The number to base 26, its last digit first, filled up with A."""
    text = ""
    for _ in range(width):
        number, digit = divmod(number, 26)
        text += LETTERS[digit]
    return text


def wisconsin(rng, count):
    """The Wisconsin benchmark's relation: two unique keys, and columns that divide it into 2, 4, 10, … parts."""
    first = list(range(count))
    rng.shuffle(first)
    for second, key in enumerate(first):
        parts = [key % size for size in (2, 4, 10, 20, 100, 1000, 2000, 5000, 10000)]
        odd = key % 100 * 2
        names = [letters(key, 6), letters(second, 6), ("AAAAxx", "HHHHxx", "OOOOxx", "VVVVxx")[second % 4]]
        yield [key, second, *parts, odd, odd + 1, *names]


def point(rng, size=100):
    return f"({rng.randrange(-size, size)},{rng.randrange(-size, size)})"


def people(rng, count):
    names = ["mike", "joe", "sally", "belle", "linda", "jean", "sue", "larry", "sarah", "pamela", "trudy", "alex"]
    return [[f"{names[i % len(names)]}{i // len(names) or ''}", rng.randrange(8, 80), point(rng)] for i in range(count)]


def path(rng, points):
    x, y = rng.uniform(-123, -121), rng.uniform(37, 38)
    steps = []
    for _ in range(points):
        x, y = x + rng.uniform(-0.01, 0.01), y + rng.uniform(-0.01, 0.01)
        steps.append(f"({x:.4f},{y:.4f})")
    return f"[{','.join(steps)}]"


def streets(rng):
    kinds = ["Ave", "Blvd", "Cir", "Ct", "Dr", "Ln", "Pl", "Rd", "St", "Way"]
    for number in range(2500):
        yield [f"{letters(number * 7919, 3).capitalize()} {rng.choice(kinds)}", path(rng, rng.randrange(2, 8))]
    for number in (80, 205, 238, 280, 580, 680, 880, 980):
        yield from ([f"I- {number} {'Ramp' if i % 3 else ''}".strip(), path(rng, 6)] for i in range(12))
    for number in (13, 17, 24, 61, 84, 92, 123):
        yield from ([f"State Hwy {number}", path(rng, 5)] for _ in range(8))


def arrays(rng):
    yield from ([number, "{}", "{}"] for number in (101, 102))
    yield [103, r"\N", r"\N"]
    for number in range(1, 101):
        numbers = [rng.randrange(100) for _ in range(rng.randrange(1, 9))]
        words = [f"{rng.choice('AB') * rng.randrange(3, 20)}{rng.randrange(100, 80000)}" for _ in range(rng.randrange(1, 7))]
        if number % 6 == 0:
            numbers.append(32)
            words.append("AAAAAAAA72908")
        if number % 9 == 0:
            numbers.append(17)
            words.append("AAAAAAAAAA646")
        yield [number, "{" + ",".join(map(str, numbers)) + "}", "{" + ",".join(words) + "}"]


def rectangles(rng):
    for _ in range(3100):
        x, y = rng.randrange(0, 50000), rng.randrange(0, 50000)
        yield [f"({x + rng.randrange(1, 1000)},{y + rng.randrange(1, 1000)}),({x},{y})"]


def documents(rng):
    """JSON documents: most keys are missing from most of them."""
    for line in range(1, 1010):
        document = {"line": line}
        if line % 3 == 0:
            document["wait"] = rng.choice([None, "CC", "BB", "AA"])
        if line % 4 == 0:
            document["age"] = rng.randrange(20, 30)
        if line % 2 == 0:
            document["public"] = rng.random() < 0.5
        if line % 5 == 0:
            document["array"] = rng.sample(["foo", "bar", "baz", 1, 2, None], 3)
        if line % 7 == 0:
            document["node"] = rng.choice(["CC", "CBA", {"state": rng.choice("AB")}])
        for key in rng.sample(["date", "status", "space", "title", "org", "pos", "query", "indexed", "user"], 3):
            document[key] = letters(rng.randrange(26**3), 3)
        yield json.dumps(document, separators=(",", ":"))
    yield from ("{}", "[]", '{"array":["foo"]}', "1", '"CC"', "null")


def lexemes(rng):
    """Texts of two-letter words, each beside its tsvector, which says where each word stands."""
    alphabet = "abcdefghijklmnopqrstuvwxyz"
    for number in range(508):
        words = [rng.choice("qwertyu") + rng.choice(alphabet[::2] + "hqrtwy") for _ in range(rng.randrange(10, 60))]
        where = {}
        for index, word in enumerate(words, 1):
            where.setdefault(word, []).append(f"{index}{'ABCD'[number % 4] if index % 5 == 0 else ''}")
        vector = " ".join(f"'{word}':{','.join(places)}" for word, places in sorted(where.items()))
        yield [" ".join(words), vector]


def files(rng):
    numbered = [[number, rng.randrange(2**31)] for number in range(10000)]
    staff = [[*person, rng.randrange(500, 3000), rng.choice(["sharon", "sam", "bill"])] for person in people(rng, 12)]
    students = [[*person, f"{rng.uniform(0, 4):.1f}"] for person in people(rng, 12)]
    both = [[*person, 1000 + i * 500, "sharon", f"{rng.uniform(0, 4):.1f}", 10 * i] for i, person in enumerate(people(rng, 3))]
    return {
        "onek": wisconsin(rng, 1000),
        "tenk": wisconsin(rng, 10000),
        "person": people(rng, 50),
        "emp": staff,
        "student": students,
        "stud_emp": both,
        "streets": streets(rng),
        "agg": [[56, 7.8], [100, 99.097], [0, 0.09561], [42, 324.78]],
        "array": arrays(rng),
        "hash": numbered,
        "desc": numbered[::-1],
        "constro": [[4, "!check failed", 5], [6, "OK", 4]],
        "constrf": [[5, "OK", 4], [7, "check failed", 6]],
        "copy1": [[i, i + 0.5] for i in range(1, 4)],
        "rect": rectangles(rng),
        "real_city": [[rng.randrange(10000, 900000), f"City {letters(i, 2)}", path(rng, 24)] for i in range(5)],
        "jsonb": documents(rng),
        "tsearch": lexemes(rng),
    }


def main(folder):
    for name, rows in files(random.Random(17)).items():
        lines = (row if isinstance(row, str) else "\t".join(map(str, row)) for row in rows)
        Path(folder, f"{name}.data").write_text("".join(f"{line}\n" for line in lines))


main(sys.argv[1])
